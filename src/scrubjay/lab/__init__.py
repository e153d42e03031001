"""The laboratory: recorded requests, replayed through the shipped cache.

`read_trace` reads a recording, `replay` tells what a cache of some size and
strategy would have hit, and `generate` makes workloads to order.  The command ``scrubjay replay`` does both for many
traces at once.
"""

from scrubjay.lab import generate
from scrubjay.lab.model import BadLines, ChunkedFormat, ReadOptions, Trace, TraceError, TraceFormat
from scrubjay.lab.optimum import belady
from scrubjay.lab.replay import ReplayResult, replay, replay_chunks
from scrubjay.lab.traces import (
    FoundTraces,
    find_traces,
    format_names,
    read_trace,
    register_format,
    stream_trace,
)

__all__ = [
    "BadLines",
    "ChunkedFormat",
    "FoundTraces",
    "ReadOptions",
    "ReplayResult",
    "Trace",
    "TraceError",
    "TraceFormat",
    "belady",
    "find_traces",
    "format_names",
    "generate",
    "read_trace",
    "register_format",
    "replay",
    "replay_chunks",
    "stream_trace",
]
