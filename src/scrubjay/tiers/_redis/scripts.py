"""What the server does in one go: short scripts, and only one that a value goes through.

A value of 16 KB through a script costs the server 40 µs more than SET; moved into place by
RENAME it costs 6 µs more, whatever its size. See `docs/decisions/0022-coherence.md`.

Each issues a version: the server's time in microseconds, or one more than the key's last
version if the clock is not beyond it. All keys of one script are in one slot of a cluster.
What has a version from `END` on was damaged: numbers of Lua do not count on there.
"""

from __future__ import annotations

from hashlib import sha1
from typing import Final

from scrubjay.tiers._redis.wire import Command

VALUE: Final = 0x11  # format 1, and the kind of record
TOMBSTONE: Final = 0x12
LEASE: Final = 0x13
END: Final = 1 << 53  # of versions; a server's clock comes there in the year 2255

_VERSION = b"""
local now = redis.call('TIME')
local version = now[1] * 1000000 + now[2]
if #old >= 8 then
  local last = struct.unpack('>I8', old)
  if last >= 9007199254740992 then
    old = ''
  elseif last >= version then
    version = last + 1
  end
end
"""


class Script:
    """A script by its digest, which the server knows once it has been loaded.

    Args:
        source: in Lua.
    """

    def __init__(self, source: bytes) -> None:
        self.loading: Command = (b"SCRIPT", b"LOAD", source)
        self._head: Command = (b"EVALSHA", sha1(source).hexdigest().encode())  # noqa: S324

    def call(self, keys: tuple[bytes, ...], *arguments: bytes) -> Command:
        """Return the command that runs it."""
        return (*self._head, b"%d" % len(keys), *keys, *arguments)


#: Put what is staged at the second key in place of the record at the first. Arguments:
#: milliseconds to live or nothing; the version of the lease that it depends on or nothing.
#: Returns the version; 0 if the lease is void; -1 if nothing is staged.
COMMIT = Script(
    b"""
local old = redis.call('GETRANGE', KEYS[1], 0, 8)
if ARGV[2] ~= '' and (string.sub(old, 1, 8) ~= ARGV[2] or string.byte(old, 9) ~= 19) then
  redis.call('UNLINK', KEYS[2])
  return 0
end
if redis.call('EXISTS', KEYS[2]) == 0 then return -1 end
"""
    + _VERSION
    + b"""
redis.call('SETRANGE', KEYS[2], 0, struct.pack('>I8', version))
redis.call('RENAME', KEYS[2], KEYS[1])
if ARGV[1] == '' then
  redis.call('PERSIST', KEYS[1])
else
  redis.call('PEXPIRE', KEYS[1], ARGV[1])
end
return version
"""
)

#: The same with the value in it, for a cluster's slot that is on its way: its keys are in two
#: places, so no command may have two of them. Arguments: as above; the record without its version.
PLACE = Script(
    b"""
local old = redis.call('GETRANGE', KEYS[1], 0, 8)
if ARGV[2] ~= '' and (string.sub(old, 1, 8) ~= ARGV[2] or string.byte(old, 9) ~= 19) then
  return 0
end
"""
    + _VERSION
    + b"""
local record = struct.pack('>I8', version) .. ARGV[3]
if ARGV[1] == '' then
  redis.call('SET', KEYS[1], record)
else
  redis.call('SET', KEYS[1], record, 'PX', ARGV[1])
end
return version
"""
)

#: Leave a tombstone. Arguments: the record without its version; milliseconds to live.
#: Returns the version.
BURY = Script(
    b"""
local old = redis.call('GETRANGE', KEYS[1], 0, 7)
"""
    + _VERSION
    + b"""
redis.call('SET', KEYS[1], struct.pack('>I8', version) .. ARGV[1], 'PX', ARGV[2])
return version
"""
)

#: Grant the right to load a value. Arguments: kind, checksum and generation of the lease as
#: in a record; the owner; seconds; the version of a value that is of no use, or nothing.
#: Returns what was found (0 a lease, 1 a value, 2 nothing: it is granted), the version of
#: that or of the lease, and the milliseconds that another's lease lasts.
GRANT = Script(
    b"""
local old = redis.call('GETRANGE', KEYS[1], 0, 95)
"""
    + _VERSION
    + b"""
local at = version / 1000000
local kept = 0
if #old >= 32 then
  local last, kind = struct.unpack('>I8B', old)
  local until_ = struct.unpack('>d', string.sub(old, 25, 32))
  if string.sub(old, 17, 24) == string.sub(ARGV[1], 9, 16) then
    if kind == 17 and until_ > at and string.sub(old, 1, 8) ~= ARGV[4] then
      return {1, last, 0}
    end
    if kind == 19 and until_ > at and string.sub(old, 33) ~= ARGV[2] then
      return {0, last, math.ceil((until_ - at) * 1000)}
    end
  end
  if kind ~= 17 then kept = redis.call('PTTL', KEYS[1]) end
end
local ends = math.max(kept, math.ceil(ARGV[3] * 1000))
redis.call('SET', KEYS[1],
  struct.pack('>I8', version) .. ARGV[1] .. struct.pack('>d', at + ARGV[3]) .. ARGV[2],
  'PX', ends)
return {2, version, 0}
"""
)

#: Give a lease back. Arguments: its version; the tombstone in its place, without its version;
#: milliseconds to live. Returns whether it was still there.
RELEASE = Script(
    b"""
local old = redis.call('GETRANGE', KEYS[1], 0, 8)
if string.sub(old, 1, 8) ~= ARGV[1] or string.byte(old, 9) ~= 19 then return 0 end
redis.call('SET', KEYS[1], ARGV[1] .. ARGV[2], 'PX', ARGV[3])
return 1
"""
)

ALL: Final = (COMMIT, PLACE, BURY, GRANT, RELEASE)
