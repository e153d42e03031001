"""What is at the edge of the core's numbers: huge sizes, odd priorities and costs."""

from __future__ import annotations

from scrubjay import Cache

EXABYTES = 2.0**42  # in units of 1,048,576 bytes: the largest bound there is


def test_sizes_whose_sum_does_not_fit_into_64_bits_displace_one_another():
    cache = Cache(EXABYTES, max_value_fraction=1.0, sizer=lambda value: value)
    for key in range(5):
        assert cache.put(key, 1 << 62)
        assert cache.bytes == 1 << 62
        assert list(cache) == [key]
    cache.put("small", 100)
    assert cache.bytes == sum(cache.values())


def test_what_was_asked_for_twice_outlives_what_was_asked_for_once():
    cache = Cache(max_entries=4)
    cache.put("weighted", 0, priority=2.0)  # from now on values decide
    cache.invalidate("weighted")
    cache.put("twice", 0)
    cache.invalidate("twice")
    for key in ("twice", "a", "b", "c", "d"):
        cache.put(key, 0)
    assert set(cache) == {"twice", "b", "c", "d"}
