"""The demonstration: one adaptive cache between many users and a database.

``scrubjay demo`` runs it; `run_demo` does the same from Python.
"""

from scrubjay.demo.result import DemoResult, Progress
from scrubjay.demo.run import run_demo

__all__ = ["DemoResult", "Progress", "run_demo"]
