"""Whether the machine has been running without a break since a file was written.

What a process wrote and did not sync survives the process, as the system holds it, and
not the machine. After a power cut some of it may be there and some not: a removal may be
undone. So what was not closed well counts only within the boot in which it was written.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

_OPEN, _CLEAN = 0x5A, 0xA5
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")  # Linux


def boot_number() -> int:
    """Return 56 bits that name this boot; random ones where the system does not tell."""
    try:
        name = _BOOT_ID.read_bytes()
    except OSError:
        name = os.urandom(16)
    return int.from_bytes(hashlib.blake2b(name, digest_size=7).digest(), "little")


def opened(boot: int) -> int:
    """Return the epoch of a file in use."""
    return boot << 8 | _OPEN


def closed(boot: int) -> int:
    """Return the epoch of a file that was synced, and not used since."""
    return boot << 8 | _CLEAN


def trusted(epoch: int, boot: int) -> bool:
    """Tell whether what a file of that epoch says is true."""
    return epoch & 0xFF == _CLEAN or epoch == opened(boot)
