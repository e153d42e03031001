"""What goes wrong on a connection, as errors of our own hierarchy."""

from __future__ import annotations

from scrubjay.errors import TierDeniedError, TierError, TierUnavailableError

_LONGEST = 120  # characters of a server's message that are passed on; keys may follow
_DENIED = frozenset({"NOAUTH", "WRONGPASS", "NOPERM", "DENIED"})
# Of a password before Redis 6, and of what a script may not do, whose first word tells nothing.
_DENIALS = ("invalid password", "user executing the script can't", "ACL failure in script")
_OUTAGE = frozenset(
    {
        "BUSY",
        "CLUSTERDOWN",
        "LOADING",
        "MASTERDOWN",
        "MISCONF",
        "NOREPLICAS",
        "READONLY",
        "TRYAGAIN",
    }
)


class UnsentError(TierUnavailableError):
    """The connection was lost before a byte of the request had been written: it has no effect."""


class CutOffError(TierUnavailableError):
    """The connection was lost before the reply: whether the request had an effect is unknown."""


def word(reply: object) -> str:
    """Return the first word of an error reply, which tells its kind; "" for other replies."""
    return str(reply).partition(" ")[0] if isinstance(reply, Exception) else ""


def error_of(reply: object) -> TierError:
    """Return the error that an unexpected reply stands for.

    Args:
        reply: an error, or whatever else makes no sense where it came.
    """
    if not isinstance(reply, Exception):
        return TierError(f"the server's answer makes no sense: {type(reply).__name__}")
    message, kind = str(reply)[:_LONGEST], word(reply)
    if kind == "OOM":
        return TierUnavailableError(f"the server has no memory left: {message}")
    if kind in _DENIED or any(part in message for part in _DENIALS):
        return TierDeniedError(f"the server denies access: {message}")
    if kind in {"MOVED", "ASK", "CROSSSLOT"}:
        return TierUnavailableError(
            f"the server is a member of a cluster, and has not got everything: cluster=True ({kind})"
        )
    if kind in _OUTAGE:
        return TierUnavailableError(f"the server cannot serve now: {message}")
    return TierError(f"the server refuses: {message}")
