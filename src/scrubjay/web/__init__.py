"""The live page: what caches of one process, or of several on one machine, are doing."""
