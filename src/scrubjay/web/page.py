"""The page as one document: its style and its script stand in it, and nothing else may run."""

from __future__ import annotations

from base64 import b64encode
from functools import lru_cache
from hashlib import sha256
from importlib.resources import files
from typing import NamedTuple

_SCRIPTS = ("format.js", "charts.js", "panels.js", "app.js")


class Page(NamedTuple):
    """The document and the policy that a browser must hold it to."""

    body: bytes
    policy: str


@lru_cache(maxsize=1)
def page() -> Page:
    """Return the page. No request of it leaves the host it came from."""
    assets = files("scrubjay.web") / "assets"
    style = (assets / "style.css").read_text("utf-8")
    script = "\n".join((assets / name).read_text("utf-8") for name in _SCRIPTS)
    body = (assets / "index.html").read_text("utf-8")
    body = body.replace("/*style*/", style).replace("/*script*/", script)
    policy = "; ".join(
        (
            "default-src 'none'",
            f"script-src {_digest(script)}",
            f"style-src {_digest(style)}",
            "connect-src 'self'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
        )
    )
    return Page(body.encode(), policy)


def _digest(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"
