"""The two drivers: they do what a flow wants done, blocking or awaiting."""

from __future__ import annotations

from scrubjay._flow.awaiting import aask, arun, begin_ahead
from scrubjay._flow.blocking import ask, run, run_ahead

__all__ = ["aask", "arun", "ask", "begin_ahead", "run", "run_ahead"]
