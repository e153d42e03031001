"""Keys and values as bytes for lower tiers, and back."""

from __future__ import annotations

from scrubjay.codecs.encryption import AesGcm
from scrubjay.codecs.keys import KeyEncoder
from scrubjay.codecs.protection import HmacSha256
from scrubjay.codecs.registry import register_codec
from scrubjay.codecs.results import Loaded, Meta, Reason, Undecodable
from scrubjay.codecs.serializer import Serializer

__all__ = [
    "AesGcm",
    "HmacSha256",
    "KeyEncoder",
    "Loaded",
    "Meta",
    "Reason",
    "Serializer",
    "Undecodable",
    "register_codec",
]
