"""How many loads ahead a source may be asked for at a time: fewer while it suffers.

A load that somebody waits for is never held back here; what it tells of the source counts.
The source's usual latency is a slow average, in which no load counts for more than twice
of it; the present one a quick average, in which a single load is no evidence: three in a row
are. Where the present one is more than twice the usual,
half as many loads are let go at a time; where it is four times that, or where loads fail,
none for a while, and then one to see (a circuit breaker). Gradual changes become usual.
"""

from __future__ import annotations

_USUAL = 1 / 128  # weight of a load in the usual latency, once there were as many
_PRESENT = 1 / 4  # in the present one
_SLOW = 2.0  # times the usual latency: the source suffers
_STUCK = 4.0  # times the usual latency: it suffers badly
_LEAST = 0.005  # seconds: differences below this are noise
_FAILING = 0.4  # share of failures from which on the breaker opens
_FIRST_PAUSE = 1.0  # seconds; the next one is twice as long
_LAST_PAUSE = 60.0


class Pace:
    """What one source bears.

    Args:
        most: loads at a time while all is well.
        rate: loads a second at most, or None.
    """

    def __init__(self, most: int, rate: float | None) -> None:
        self._most = most
        self._rate = rate
        self._tokens = 0.0 if rate is None else max(1.0, rate)
        self._at = 0.0  # when tokens were counted last
        self._allowed = float(most)
        self._begun: dict[object, float] = {}  # loads ahead under way, oldest first
        self._usual = 0.0
        self._present = 0.0
        self._loads = 0
        self._failing = 0.0
        self._pause = _FIRST_PAUSE
        self._until = 0.0  # no load ahead before then
        self._trying = False  # whether the next one is to show how the source does

    def room(self, now: float) -> int:
        """Return how many loads may begin now.

        Args:
            now: monotonic seconds.
        """
        if now < self._until:
            return 0
        under_way = len(self._begun)
        if self._trying:
            return 0 if under_way else 1
        if self._loads:
            # Two that do not come back in time, or one that does not come back at all.
            bounds = (4.0 * _STUCK, _STUCK)
            for began, times in zip(self._begun.values(), bounds, strict=False):
                if now - began > times * self._usual + _LEAST:
                    return 0
        room = max(1, int(self._allowed)) - under_way
        if self._rate is not None:
            self._tokens = min(max(1.0, self._rate), self._tokens + (now - self._at) * self._rate)
            self._at = now
            room = min(room, int(self._tokens))
        return max(0, room)

    def begin(self, load: object, now: float) -> None:
        """Count a load ahead that begins; once, if it is of several keys."""
        if load not in self._begun:
            self._begun[load] = now
            if self._rate is not None:
                self._tokens -= 1.0

    def end(self, load: object) -> None:
        """Count a load ahead that has ended, one way or other."""
        self._begun.pop(load, None)

    def forget(self) -> None:
        """Take it that no load is under way."""
        self._begun.clear()

    def learn(self, seconds: float, failed: bool, now: float) -> None:
        """Learn from any load of the source, ahead or not.

        Args:
            seconds: that it took.
            failed: whether it raised.
            now: monotonic seconds.
        """
        self._failing += ((1.0 if failed else 0.0) - self._failing) * _PRESENT
        if failed:
            if self._failing >= _FAILING or self._trying:
                self._open(now)
            return
        self._loads += 1
        if self._loads == 1:
            self._usual = self._present = seconds
            return
        weight = max(_USUAL, 1.0 / self._loads)
        self._usual += (min(seconds, _SLOW * self._usual + _LEAST) - self._usual) * weight
        slow, stuck = (times * self._usual + _LEAST for times in (_SLOW, _STUCK))
        self._present += (min(seconds, 2.0 * stuck) - self._present) * _PRESENT
        if now < self._until:
            return
        if self._trying and seconds <= stuck:
            self._trying = False
            self._pause = _FIRST_PAUSE
            self._present = min(seconds, slow)
        elif self._trying or (seconds > slow and self._present > stuck):
            self._open(now)
        elif seconds > slow and self._present > slow:
            self._allowed = max(1.0, self._allowed / 2.0)
        elif seconds <= slow:
            self._allowed = min(float(self._most), self._allowed + 0.25)

    def _open(self, now: float) -> None:
        """Let no load begin for a while."""
        if self._trying:
            self._pause = min(_LAST_PAUSE, 2.0 * self._pause)
        self._trying = True
        self._until = now + self._pause
        self._allowed = 1.0

    def describe(self, now: float) -> dict[str, object]:
        """Return how the source does, for people to read."""
        return {
            "under_way": len(self._begun),
            "allowed": 0 if now < self._until else int(self._allowed),
            "usual_seconds": self._usual,
            "present_seconds": self._present,
            "failing": self._failing,
            "paused": now < self._until,
        }
