"""Names for what a cache has in a tier that it shares with others."""

from __future__ import annotations

import re
from hashlib import blake2b
from typing import Any

from scrubjay.codecs import KeyEncoder

_PLAIN = re.compile(r"[A-Za-z0-9_-]{1,31}")  # no dot: what has one is a digest
_UNFIT = re.compile(r"[^A-Za-z0-9_-]")


def scope(namespace: Any, tenant: Any) -> str:
    """Return a name for what a namespace and a tenant have in a tier: letters and digits.

    Raises:
        InvalidArgumentError: a name is empty, or no string.
    """
    prefix = KeyEncoder(namespace, tenant).prefix
    if tenant is None and _PLAIN.fullmatch(namespace):
        return str(namespace)
    return f"{_UNFIT.sub('-', namespace)[:20]}.{blake2b(prefix, digest_size=15).hexdigest()}"
