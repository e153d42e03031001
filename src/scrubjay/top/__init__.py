"""``scrubjay top``: the caches of this machine in a terminal; needs the extra ``top``."""
