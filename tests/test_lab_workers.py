"""Worker processes that die, and what others in them lose: nothing."""

from __future__ import annotations

import os
import threading

import pytest

from scrubjay.lab.workers import Died, run_tasks

pytestmark = pytest.mark.any_build


def halve(number):
    if number == 13:
        os._exit(3)
    if number == 26:
        os.abort()
    if number == 99:
        threading.Event().wait()  # for ever
    return number // 2


@pytest.mark.parametrize("processes", [1, 2])
def test_a_worker_that_dies_costs_its_task_alone(processes):
    results = dict(run_tasks(halve, [13, *range(0, 30, 2), 13], processes))
    assert results.pop(13) == Died(3)
    died = results.pop(26)
    assert str(died) == "its process died of signal 6"
    assert str(Died(3)) == "its process ended with status 3"
    assert results == {number: number // 2 for number in range(0, 30, 2) if number != 26}


def test_a_task_that_takes_too_long_is_stopped():
    seconds = {99: 0.01}
    results = dict(run_tasks(halve, [4, 99, 6], 1, lambda task: seconds.get(task, 60)))
    assert (results[4], results[6]) == (2, 3)
    assert str(results[99]) == "it took too long and was stopped"


def test_stopping_early_stops_the_workers():
    tasks = run_tasks(halve, range(2, 12, 2), 2)
    next(tasks)
    tasks.close()


def test_no_tasks():
    assert list(run_tasks(halve, [], 2)) == []
