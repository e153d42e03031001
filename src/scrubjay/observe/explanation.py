"""What a cache does at present, why, and what the alternatives would have yielded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from scrubjay.types import CacheEvictionStrategy


@dataclass(frozen=True)
class Explanation:
    """What `Cache.explain` tells; as a string, a few lines for people.

    Attributes:
        strategy: the eviction strategy.
        way: how ADAPTIVE keeps entries at present; None for every other strategy.
        reason: why.
        alternatives: the hit ratio that each way would have had lately, best first, by
            simulations on a sample of the keys; empty before there is evidence. Where
            priorities, costs or an objective weigh the hits, it is the share of what was to
            be saved, as `reason` says.
        sampled: share of the keys that the simulations see; 0.0 without simulations.
        changes: how often the way was changed.
    """

    strategy: str
    way: str | None
    reason: str
    alternatives: dict[str, float]
    sampled: float
    changes: int

    def __str__(self) -> str:
        lines = [f"{self.strategy}: {self.reason}"]
        lines += [
            f"  {ratio:7.2%}  {way}{'  (now)' if way == self.way else ''}"
            for way, ratio in self.alternatives.items()
        ]
        return "\n".join(lines)


def explain(cache: Any) -> Explanation:
    """Explain what a cache does.

    Args:
        cache: the store.
    """
    strategy = cache.eviction_strategy
    name = strategy.value if isinstance(strategy, CacheEvictionStrategy) else strategy
    policy = cache.describe_policy()
    way = policy.get("way")
    if strategy is not CacheEvictionStrategy.ADAPTIVE or way is None:
        return Explanation(name, None, "fixed by eviction_strategy", {}, 0.0, 0)
    seen = int(policy["requests"])
    ratios = policy["hit_ratios"] if seen else {}
    best_first = dict(sorted(ratios.items(), key=lambda item: -item[1]))
    others = {each: ratio for each, ratio in best_first.items() if each != way}
    if not others or not policy["evidence"]:
        reason = f"{way}: nothing suggests another way yet"
    else:
        rival, ratio = next(iter(others.items()))
        began = "" if policy["changes"] else "began so; it "
        verb, of = ("saved", f"the {policy['weighed']} of ") if policy["weighed"] else ("hit", "")
        reason = (
            f"{way}: it {began}would have {verb} {best_first[way]:.2%} of {of}the last {seen:,} "
            f"requests sampled, "
            f"the best of the others ({rival}) {ratio:.2%}"
        )
    if policy["sessions"]:
        reason += "; it is told which sessions ask"
    if policy["tags"]:
        reason += "; it is told tags"
    return Explanation(name, way, reason, best_first, policy["sampled"], policy["changes"])
