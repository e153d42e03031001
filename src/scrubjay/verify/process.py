"""A process of a run, from its start to its end."""

from __future__ import annotations

import asyncio
import json
import signal
import threading

from scrubjay.verify import bugs
from scrubjay.verify.cached import CacheWorker
from scrubjay.verify.history import Recorder
from scrubjay.verify.plain import NodeWorker
from scrubjay.verify.workload import Plan

__all__ = ["work"]


def work(plan: Plan) -> None:
    """Work for some time, then write down how many operations have failed; the body of a process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    bugs.plant(plan.bug)
    recorder = Recorder(plan.directory, plan.name)
    worker = (CacheWorker if plan.caches else NodeWorker)(plan, recorder)
    if plan.threads:
        threads = [
            threading.Thread(target=worker.in_thread, args=(number,))
            for number in range(plan.sessions)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        worker.close()
    else:
        asyncio.run(worker.on_loop())
    recorder.close()
    failures = {"failed": worker.failed, "refused": worker.refused}
    (plan.directory / f"{plan.name}.failures").write_text(json.dumps(failures))
