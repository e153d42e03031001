"""Who may look at the page.

On a loopback address anybody on this machine may, unless there is a token. Anywhere else
there must be a token. A browser may be made to ask loopback addresses on behalf of a page
from elsewhere, under a name that leads there (DNS rebinding): so the name that was asked
for must be one of loopback, too.
"""

from __future__ import annotations

import hmac
import ipaddress
from http.cookies import CookieError, SimpleCookie

from scrubjay.errors import InvalidArgumentError

COOKIE = "scrubjay_token"
_SHORTEST = 16  # characters of a token


def is_loopback(host: str) -> bool:
    """Tell whether an address or a name leads to this machine alone."""
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped.is_loopback
    return address.is_loopback


def checked(host: str, token: object) -> None:
    """Refuse to serve others without a token.

    Raises:
        InvalidArgumentError: a token is missing, or too easy to guess.
    """
    if token is None:
        if not is_loopback(host):
            raise InvalidArgumentError(
                f"host: {host!r} can be reached from elsewhere; that takes a token"
            )
    elif not isinstance(token, str) or len(token) < _SHORTEST or not token.isascii():
        raise InvalidArgumentError(f"token: it must have {_SHORTEST} ASCII characters or more")


class Access:
    """Decides on requests.

    Args:
        token: what must be shown; None where loopback is enough.
    """

    def __init__(self, token: str | None) -> None:
        self._token = token

    def matches(self, shown: str) -> bool:
        """Tell whether it is the token, in a time that does not depend on what is shown."""
        return self._token is not None and hmac.compare_digest(
            shown.encode("utf-8", "replace"), self._token.encode()
        )

    def allows(self, peer: str, name: str | None, authorization: str, cookies: str) -> bool:
        """Tell whether a request is answered.

        Args:
            peer: the address that it comes from.
            name: the host that was asked for, as in the header ``Host``.
            authorization: the header of that name.
            cookies: the header ``Cookie``.
        """
        if self._token is None:
            return is_loopback(peer) and name is not None and is_loopback(_without_port(name))
        scheme, _, shown = authorization.partition(" ")
        if scheme.lower() == "bearer" and self.matches(shown.strip()):
            return True
        return self.matches(_cookie(cookies))


def _without_port(name: str) -> str:
    if name.startswith("["):
        return name[1:].partition("]")[0]
    return name.rpartition(":")[0] if ":" in name else name


def _cookie(header: str) -> str:
    try:
        found = SimpleCookie(header).get(COOKIE)
    except CookieError:
        return ""
    return "" if found is None else found.value
