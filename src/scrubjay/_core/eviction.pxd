cimport cython
from scrubjay._core.ledger cimport Ledger
from scrubjay._core.terms cimport Terms

cdef int NONE
cdef object EMPTY
cdef int DROPPED
cdef int GIVEN_UP
cdef int EVICTED
cdef int EVICTED_USED
cdef unsigned int COUNT
cdef int EXPIRED

cdef class Eviction(Ledger):
    cdef int limit(self, long long entries, long long size, long long value) except -1
    cdef bint crowded(self, int slot, long long size) noexcept
    @cython.locals(lacking=cython.longlong)
    cdef bint declined(self, unsigned int h, long long size, Terms terms, double now) noexcept
    cdef int choose(self, int keep, double now, long long stamp) except? -1
    cdef int choose_for_prefetched(self, long long size, double now, long long stamp) except? -1
    @cython.final
    @cython.locals(slot=int, paused=bint)
    cdef inline int leaving(self, int keep, double now) except? -1
    cdef int due(self, double now, bint exactly) noexcept
    cdef int overdue(self, long long stamp) noexcept
    cdef void desert(self, int slot) noexcept
    @cython.final
    @cython.locals(paused=bint)
    cdef inline void take(self, int slot) noexcept
    cdef int take_if(self, int slot, int cause, long long stamp) except -1
    @cython.locals(cause=int, used=bint)
    cdef int take_out(self, int slot, double now, long long stamp) noexcept
    @cython.locals(slot=int)
    cdef int collect_garbage(self, object slots, int cause, object garbage) except -1
