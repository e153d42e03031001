"""Where a server is, and as whom to talk to it: a URL, taken apart."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from scrubjay.errors import InvalidArgumentError, InvalidArgumentTypeError

_SCHEMES = {"redis": False, "valkey": False, "rediss": True, "valkeys": True, "unix": False}
_PORT = 6379


@dataclass(frozen=True)
class Address:
    """A server, a database there, and a user.

    Args:
        host: name or address; "" for a Unix socket.
        port: of TCP.
        path: of a Unix socket; "" for TCP.
        tls: how to encrypt; None for not at all.
        user: who to be; "" for the server's default user.
        password: None for none.
        database: its number.
        more: hosts and ports of other members of a cluster, that may be asked as well.
    """

    host: str = ""
    port: int = _PORT
    path: str = ""
    tls: ssl.SSLContext | None = None
    user: str = ""
    password: str | None = field(default=None, repr=False)
    database: int = 0
    more: tuple[tuple[str, int], ...] = ()

    def __str__(self) -> str:
        return self.path or f"{self.host}:{self.port}"


def parse(url: Any, tls: ssl.SSLContext | None = None) -> Address:
    """Take a URL apart.

    `redis://`, `rediss://` (with TLS), `valkey://` and `valkeys://` name a host, `unix://`
    a path: `redis://user:password@host:6379/0`, `unix://user:password@/run/redis.sock?db=0`.
    Several members of a cluster are parted by commas: `redis://user:password@one:6379,two:6379`.

    Args:
        url: the URL. What is in it besides letters and digits is percent-encoded.
        tls: how to encrypt, for `rediss://`; None to check certificates by the system's
            authorities.

    Raises:
        InvalidArgumentError: it is no such URL. The message does not contain it, as it may
            contain a password.
    """
    if not isinstance(url, str):
        raise InvalidArgumentTypeError(f"url: a string, not {type(url).__name__}")
    try:
        parts = urlsplit(url)
        login, at, hosts = parts.netloc.rpartition("@")
        first, *others = hosts.split(",")
        parts = parts._replace(netloc=f"{login}{at}{first}")
        port = parts.port
        more = tuple(
            (other.hostname or "localhost", other.port or _PORT)
            for other in [urlsplit(f"//{one}") for one in others]
        )
    except ValueError:
        raise InvalidArgumentError("url: its host or port makes no sense") from None
    encrypted = _SCHEMES.get(parts.scheme)
    if encrypted is None:
        raise InvalidArgumentError(f"url: it begins with none of {', '.join(_SCHEMES)} and ://")
    if tls is not None and not encrypted:
        raise InvalidArgumentError("tls: it needs a URL that begins with rediss://")
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    local = parts.scheme == "unix"
    database = query.pop("db", "" if local else parts.path.strip("/")) or "0"
    if query:
        raise InvalidArgumentError(f"url: it asks for {', '.join(sorted(query))}, which is unknown")
    if not (database.isascii() and database.isdigit()):
        raise InvalidArgumentError(f"url: {database!r} is no number of a database")
    if local and (parts.hostname or not parts.path.strip("/")):
        raise InvalidArgumentError("url: a Unix socket is an absolute path: unix:///run/redis.sock")
    if encrypted and tls is None:
        tls = ssl.create_default_context()
    return Address(
        host="" if local else parts.hostname or "localhost",
        port=port or _PORT,
        path=unquote(parts.path) if local else "",
        tls=tls,
        user=unquote(parts.username or ""),
        password=None if parts.password is None else unquote(parts.password),
        database=int(database),
        more=more,
    )
