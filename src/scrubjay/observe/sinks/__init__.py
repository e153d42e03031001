"""Where metrics, traces and logs go: one module each, and each an extra of its own.

A sink watches caches without keeping them alive. What it needs of a cache are its
statistics and its events; nothing else of the package imports a metrics library.
"""
