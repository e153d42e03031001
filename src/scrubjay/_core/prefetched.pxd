cimport cython
from scrubjay._core.links cimport Links

cdef int NONE
cdef long long MOST

cdef class Prefetched:
    cdef Links queue
    cdef long long[::1] since
    cdef readonly int count
    cdef readonly long long bytes
    cdef readonly long long room
    cdef readonly long long byte_room
    cdef readonly long long lifetime
    cdef readonly long long proven
    cdef readonly long long unused
    cdef int grow(self, int slots) except -1
    @cython.final
    cdef inline bint holds(self, int slot) noexcept
    cdef void enter(self, int slot, long long requests, long long size) noexcept
    cdef void leave(self, int slot, long long size) noexcept
    cdef bint full(self, long long size) noexcept
    @cython.locals(slot=int)
    cdef int overdue(self, long long requests) noexcept
    @cython.locals(slot=int)
    cdef int oldest_but(self, int keep) noexcept
    @cython.locals(slot=int)
    cdef void clear(self) noexcept
