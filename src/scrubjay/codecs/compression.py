"""Compression of bodies by zstd, with bounds for what comes back."""

from __future__ import annotations

from typing import Any

from scrubjay.codecs.extras import require_zstd

DEFAULT_LEVEL = 3
LEVELS = range(1, 20)  # higher ones need windows that `read` refuses
_WINDOW_LOG = 23  # 8 MB, the most that these levels use


class Zstd:
    """Compresses and decompresses.

    Args:
        level: from 1, the fastest, to 19, the smallest.

    Raises:
        MissingExtraError: zstd is not installed.
    """

    def __init__(self, level: int = DEFAULT_LEVEL) -> None:
        zstd: Any = require_zstd()
        self._level = level
        self._compress = zstd.compress
        self._decompressor = zstd.ZstdDecompressor
        self._options = {zstd.DecompressionParameter.window_log_max: _WINDOW_LOG}
        self._error: type[Exception] = zstd.ZstdError

    def compress(self, data: bytes) -> bytes:
        """Return a frame that holds the data."""
        frame: bytes = self._compress(data, level=self._level)
        return frame

    def decompress(self, frame: memoryview, most: int) -> bytes:
        """Return what a frame holds.

        The memory that this takes grows with what comes out, to `most` bytes and the
        window, whatever size the frame claims to be of.

        Args:
            frame: a single one, and nothing behind it.
            most: bytes that may come out.

        Raises:
            ValueError: it is damaged, cut short, or holds more.
        """
        decompressor = self._decompressor(options=self._options)
        try:
            data: bytes = decompressor.decompress(frame, max_length=most)
            # Where it is full, its end may still be to come; a byte more may not.
            full = len(data) == most and not decompressor.eof
            if full and decompressor.decompress(b"", max_length=1):
                raise ValueError(f"it holds more than {most} bytes")
        except self._error as error:
            raise ValueError(str(error)) from error
        if not decompressor.eof or decompressor.unused_data:
            raise ValueError("it is cut short, or something follows it")
        return data
