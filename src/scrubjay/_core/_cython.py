"""Stands in for the `cython` module where Cython is not installed.

The core asks Cython only one thing at run time: whether it was compiled.
"""

compiled = False
