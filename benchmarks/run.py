"""Run the benchmark suite: `python -m benchmarks.run`, from the repository's root."""

from __future__ import annotations

import argparse
import dataclasses
import datetime as dt
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks import report, results
from benchmarks.cases import CASES, Case
from benchmarks.goals import judge
from benchmarks.peers import SCRUBJAY
from benchmarks.results import Measured
from benchmarks.timing import LOOP_OVERHEAD, Outcome, Scale, pin

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results"
WHOLE_CASE = "(all)"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print the tables and write the results.

    Returns:
        0, or 1 if a case crashed or scrubjay raised in one. A goal that is missed is a
        finding, not an error.
    """
    options = _parse(arguments)
    if options.worker:
        return _work(CASES[options.worker], Scale(options.quick))
    started = time.monotonic()
    measured: dict[str, Measured] = {}
    for name in options.case or CASES:
        measured[name] = _measure(CASES[name], quick=options.quick)
        for heading, table in report.case_tables(CASES[name], measured[name]):
            print(f"\n{heading}\n{report.as_text(table)}", flush=True)
    environment = results.environment()
    verdicts = judge(measured)
    print("\nGoals\n" + report.as_text(report.goals_table(verdicts)) + "\n")
    failures = report.failure_lines(measured)
    print("\n".join([*report.described(environment, quick=options.quick), *failures]))
    print(f"Took {time.monotonic() - started:.0f} s.")

    # Part of a run, or a smoke run, must not pass for the latest results.
    complete = not options.quick and not options.case
    if options.output or complete:
        date = dt.datetime.now(dt.timezone.utc).date().isoformat()
        output: Path = options.output or RESULTS
        output.mkdir(parents=True, exist_ok=True)
        content = {
            "date": date,
            "quick": options.quick,
            "environment": environment,
            "goals": [
                {
                    "goal": verdict.goal.title,
                    "limit": verdict.goal.limit,
                    "figure": verdict.reading and round(verdict.reading.figure.median, 4),
                    "verdict": verdict.word,
                }
                for verdict in verdicts
            ],
            "cases": {
                name: one.to_json(CASES[name].references, LOOP_OVERHEAD)
                for name, one in measured.items()
            },
        }
        path = output / f"{results.file_name(date, environment)}.json"
        path.write_text(json.dumps(content, indent=1) + "\n")
        text = report.markdown(date, environment, verdicts, measured, quick=options.quick)
        (output / "latest.md").write_text(text)
    failed = {name for one in measured.values() for name in one.failures}
    return 1 if any(name.startswith((SCRUBJAY, WHOLE_CASE)) for name in failed) else 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a smoke run of some seconds")
    parser.add_argument(
        "--case", action="append", choices=CASES, metavar="NAME", help="only this case; repeatable"
    )
    parser.add_argument("--output", type=Path, help="a folder for the results of any run")
    parser.add_argument("--worker", choices=CASES, help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def _measure(case: Case, *, quick: bool) -> Measured:
    """Run a case in fresh processes and pool what they measured."""
    command = [sys.executable, "-m", "benchmarks.run", "--worker", case.name]
    outcomes = []
    for _ in range(1 if quick else case.processes):
        # This interpreter and our own module, nothing from outside.
        done = subprocess.run(  # noqa: S603
            command + ["--quick"] * quick,
            cwd=HERE.parent,
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
        if done.returncode:
            # Not only an exception: compiled code may have crashed outright.
            crash = Outcome(failures={WHOLE_CASE: f"process ended with {done.returncode}"})
            return Measured.pool(case.name, [crash])
        outcomes.append(Outcome(**json.loads(done.stdout)))
    return Measured.pool(case.name, outcomes)


def _work(case: Case, scale: Scale) -> int:
    if case.pinned:
        pin()
    print(json.dumps(dataclasses.asdict(case.run(scale))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
