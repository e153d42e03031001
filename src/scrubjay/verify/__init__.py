"""Whether a server and this library keep the promises of each level, by trying to break them.

Several processes with copies of their own work on the same keys through proxies that fail,
write down what they saw, and are held against the definitions. See `docs/consistency.md`.
"""
