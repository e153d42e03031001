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
