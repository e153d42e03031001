"""What the tests of the disk tier have done by processes of their own; prints JSON.

The writers are forked by a supervisor with no threads, which is quicker than starting an
interpreter for each.
"""

from __future__ import annotations

import json
import mmap
import os
import random
import resource
import signal
import sys
import time
from collections import Counter
from pathlib import Path

from scrubjay.errors import TierFullError, TierUnavailableError
from scrubjay.tiers import DiskTier, TierRecord

KEYS = 40
SIZES = (0, 30, 700, 3000, 3000, 20_000)


def key_of(number: int) -> bytes:
    return b"key:%d" % number


def value_of(number: int, step: int) -> bytes | None:
    """Return what a key has after a step of its writer; every ninth removes it."""
    if step == 0 or step % 9 == 0:
        return None
    size = SIZES[(number * 7 + step) % len(SIZES)]
    return (b"%d,%d;" % (number, step)) * (size // 8 + 1)


def open_tier(directory: str, events: list[str]) -> DiskTier:
    return DiskTier(
        directory,
        4 << 20,
        on_event=lambda event: events.append(str(event)),
        timeout_seconds=1.0,
    )


def write_for_ever(directory: str, steps: memoryview, begun: memoryview, mine: range) -> None:
    tier = open_tier(directory, [])
    draw = random.Random()
    while True:
        chosen = draw.sample(mine, draw.choice((1, 1, 1, 5)))
        for number in chosen:
            begun[number] = steps[number] + 1
        puts = []
        for number in chosen:
            value = value_of(number, begun[number])
            if value is None:
                tier.delete_many([key_of(number)])
            else:
                puts.append(TierRecord(key_of(number), value))
        tier.put_many(puts)
        for number in chosen:
            steps[number] = begun[number]


def kill_writers(directory: str, kills: int, seed: int) -> dict:
    """Kill writers in the midst of writing; look after each kill for all that was acknowledged."""
    shared = memoryview(mmap.mmap(-1, 2 * 8 * KEYS)).cast("Q")
    steps, begun = shared[:KEYS], shared[KEYS:]  # acknowledged, and begun
    halves = (range(KEYS // 2), range(KEYS // 2, KEYS))
    draw = random.Random(seed)
    events: list[str] = []
    lost = wrong = checked = 0
    tier = open_tier(directory, events)
    tier.size()

    def start(half: int) -> int:
        child = os.fork()
        if child == 0:
            try:
                write_for_ever(directory, steps, begun, halves[half])
            finally:
                os._exit(1)
        return child

    children = [start(0), start(1)]
    deaths = 0
    for turn in range(kills):
        time.sleep(draw.uniform(0.005, 0.03))  # the moment is the point
        half = turn % 2
        os.kill(children[half], signal.SIGKILL)
        _, status = os.waitpid(children[half], 0)
        deaths += os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        for number in halves[half]:
            (value,) = tier.get_many([key_of(number)])
            before, after = value_of(number, steps[number]), value_of(number, begun[number])
            checked += 1
            if value not in (before, after):
                if value is None:
                    lost += 1
                else:
                    wrong += 1
            # From here on it counts as acknowledged, or not as begun.
            steps[number] = begun[number] = begun[number] if value == after else steps[number]
        children[half] = start(half)
    for child in children:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    size = tier.size()
    tier.close()
    return {
        "kills": deaths,
        "checked": checked,
        "lost": lost,
        "wrong": wrong,
        "events": events,
        "evicted": size.evicted,
        "entries": size.entries,
        "writes": sum(steps),
    }


def limited(directory: str) -> dict:
    """Fill a tier whose files may not grow to their bound."""
    index = 1 << 20
    resource.setrlimit(resource.RLIMIT_FSIZE, (index + (1 << 20), resource.RLIM_INFINITY))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    events: list[str] = []
    tier = DiskTier(
        directory,
        64 << 20,
        max_entries=10_000,
        on_event=lambda event: events.append(event.kind.value),
    )
    full = wrong = present = 0
    for number in range(3000):
        try:
            tier.put_many([TierRecord(key_of(number), b"%d;" % number * 300)])
        except TierFullError:
            full += 1
        (value,) = tier.get_many([key_of(number)])
        wrong += value not in (None, b"%d;" % number * 300)
        present += value is not None
    held = sum(
        value is not None for value in tier.get_many([key_of(number) for number in range(3000)])
    )
    return {
        "full": full,
        "wrong": wrong,
        "present": present,
        "held": held,
        "events": sorted(set(events)),
    }


def forked(directory: str) -> dict:
    """Use a tier in parent and child at once, and let the parent die while both do."""
    events: list[str] = []
    tier = open_tier(directory, events)
    tier.put_many([TierRecord(b"a", b"parent")])
    ready, go = os.pipe()
    child = os.fork()
    if child == 0:
        seen = tier.get_many([b"a"]) == [b"parent"]
        for turn in range(300):
            tier.put_many([TierRecord(b"child", b"%d" % turn)])
            seen = seen and tier.get_many([b"child"]) == [b"%d" % turn]
        os.write(go, b"y" if seen else b"n")
        tier.close()
        os._exit(0)
    right = True
    for turn in range(300):
        tier.put_many([TierRecord(b"mine", b"%d" % turn)])
        right = right and tier.get_many([b"mine"]) == [b"%d" % turn]
    answer = os.read(ready, 1).decode()
    os.waitpid(child, 0)
    wait, locked = os.pipe()
    child = os.fork()
    if child == 0:
        os.read(wait, 1)
        try:
            tier.put_many([TierRecord(b"mine", b"not while the parent is at it")])
        except TierUnavailableError:
            os._exit(7)
        os._exit(0)
    with tier._store.files.exclusive:  # a lock that parent and child shared would lock nothing
        os.write(locked, b".")
        _, status = os.waitpid(child, 0)
    found = tier.get_many([b"a", b"child", b"mine"])
    tier.close()
    return {
        "child": answer,
        "locked out": os.waitstatus_to_exitcode(status) == 7,
        "parent": right,
        "found": [value and value.decode() for value in found],
        "events": events,
    }


def crowded(directory: str, processes: int, operations: int) -> dict:
    """Let processes write more than there is room for. Each key has one writer, who counts.

    A miss may always be an eviction. A value must be whole, no older than what the process
    has seen of the key, and, to its writer, the last one.
    """

    def work(me: int) -> Counter:
        events: list[str] = []
        tier = open_tier(directory, events)
        draw = random.Random(me)
        seen: Counter[int] = Counter()
        done: Counter[str] = Counter()
        for _ in range(operations):
            number = min(draw.randrange(3000), draw.randrange(3000))  # some more than others
            mine = number % processes == me
            if mine and draw.random() < 0.6:
                seen[number] += 1
                head = b"%d,%d;" % (number, seen[number])
                if draw.random() < 0.05:
                    tier.delete_many([key_of(number)])
                else:
                    tier.put_many([TierRecord(key_of(number), head * draw.randrange(1, 500))])
                continue
            (value,) = tier.get_many([key_of(number)])
            if value is None:
                done["misses"] += 1
                continue
            done["hits"] += 1
            head = value[: value.index(b";") + 1]
            _, _, count = head[:-1].partition(b",")
            whole = head.startswith(b"%d," % number) and value == head * (len(value) // len(head))
            old = int(count) < seen[number] or (mine and int(count) != seen[number])
            done["wrong"] += not whole or old
            seen[number] = max(seen[number], int(count))
        done["events"] = len(events)
        return done

    pipes = []
    for me in range(processes):
        ours, theirs = os.pipe()
        if os.fork() == 0:
            os.write(theirs, json.dumps(work(me)).encode())
            os._exit(0)
        os.close(theirs)
        pipes.append(ours)
    total: Counter[str] = Counter(wrong=0, events=0)
    for pipe in pipes:
        with os.fdopen(pipe) as said:
            total.update(json.load(said))
        os.wait()
    total["evicted"] = open_tier(directory, []).size().evicted
    return dict(total)


def unprivileged(directory: str) -> dict:
    """Use a directory that may not be written to, as a user who is not almighty."""
    if os.geteuid() == 0:
        os.seteuid(65534)
    tier = open_tier(directory, [])
    answers = []
    for _ in range(3):
        try:
            tier.get_many([b"a"])
            answers.append("read")
        except TierUnavailableError as error:
            answers.append(type(error).__name__)
        try:
            tier.put_many([TierRecord(b"a", b"1")])
            answers.append("wrote")
        except TierUnavailableError as error:
            answers.append(type(error).__name__)
    Path(directory).chmod(0o700)
    tier.put_many([TierRecord(b"a", b"1")])
    return {"answers": answers, "then": tier.get_many([b"a"]) == [b"1"]}


def main() -> None:
    task, directory, *numbers = sys.argv[1:]
    tasks = {
        "kill": kill_writers,
        "crowded": crowded,
        "limited": limited,
        "forked": forked,
        "unprivileged": unprivileged,
    }
    print(json.dumps(tasks[task](directory, *map(int, numbers))))


if __name__ == "__main__":
    main()
