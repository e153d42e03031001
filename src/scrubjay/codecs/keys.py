"""Names of entries in lower tiers: namespace, tenant and key, none of which can be forged.

A name reads like ``sj1:4:shop:4:acme:=s7:user:42``: the layout's version, the namespace and
the tenant with their lengths (``-`` for no tenant), and the key as `key_parts` writes it. A
key that is long or not fit for a terminal is there by its digest, after ``#`` in place of
``=``. Braces never occur, so that a later layout can put a hash tag for a Redis Cluster in
front.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64encode
from hashlib import blake2b
from typing import Any

from scrubjay.codecs.key_parts import write
from scrubjay.errors import InvalidArgumentError, InvalidArgumentTypeError

LAYOUT = b"sj1:"
LONGEST = 96  # bytes of a key that is written out
_DIGEST = 24  # bytes: 2 ** 96 attempts to find two keys of one name, and 32 letters
_PLAIN = re.compile(r"[A-Za-z0-9._@+-]{1,64}")  # nothing that means something in a pattern
_UNFIT = re.compile(rb"[\x00-\x1f\x7f{}]")


class KeyEncoder:
    """Turns keys of one namespace and tenant into bytes.

    Args:
        namespace: tells this cache from others in the same tier. Not empty.
        tenant: tells this tenant from others in the namespace; None for no tenant, which
            is none of the tenants that have a name.

    Raises:
        InvalidArgumentError: a name is empty, or not a string.
    """

    __slots__ = ("namespace", "prefix", "tenant")

    def __init__(self, namespace: str, tenant: str | None = None) -> None:
        self.namespace = namespace
        self.tenant = tenant
        #: What all these names begin with, and no others, for ``~prefix*`` in a Redis ACL.
        self.prefix = b"%b%b:%b:" % (
            LAYOUT,
            _scope("namespace", namespace),
            b"-" if tenant is None else _scope("tenant", tenant),
        )

    def __call__(self, key: Any) -> bytes:
        """Return the name of a key.

        Args:
            key: made of strings, bytes, numbers, None, tuples, frozensets, dates and times,
                UUIDs, enumeration members, classes, or the key of a function call.

        Returns:
            The same bytes for equal keys in every process, others for other keys.

        Raises:
            InvalidKeyError: it is made of something that has no bytes of its own.
        """
        written = write(key)
        if len(written) > LONGEST or _UNFIT.search(written) is not None or not _is_text(written):
            return b"%b#%b" % (self.prefix, _digest(written))
        return b"%b=%b" % (self.prefix, written)

    def __repr__(self) -> str:
        return f"KeyEncoder({self.namespace!r}, {self.tenant!r})"


def _scope(argument: str, name: str) -> bytes:
    """Write a namespace or a tenant, by its digest if it has unusual letters."""
    if not isinstance(name, str):
        raise InvalidArgumentTypeError(f"{argument}: {name!r} is not a string")
    if not name:
        raise InvalidArgumentError(f"{argument}: it is empty")
    if _PLAIN.fullmatch(name):
        return b"%d:%b" % (len(name), name.encode())
    return b"#%b" % _digest(name.encode("utf-8", "surrogatepass"))


def _digest(data: bytes) -> bytes:
    digest = blake2b(data, digest_size=_DIGEST, person=b"scrubjay key")
    return urlsafe_b64encode(digest.digest())


def _is_text(data: bytes) -> bool:
    if data.isascii():
        return True
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
