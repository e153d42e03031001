cimport cython
from scrubjay._core.accesses cimport Accesses
from scrubjay._core.claims cimport Claims
from scrubjay._core.columns cimport Columns
from scrubjay._core.graph cimport Graph
from scrubjay._core.labels cimport Labels
from scrubjay._core.policy cimport Policy
from scrubjay._core.prefetched cimport Prefetched
from scrubjay._core.table cimport Table
from scrubjay._core.terms cimport Terms
from scrubjay._core.ticks cimport Ticks
from scrubjay._core.wheel cimport Wheel

cdef int NONE
cdef double PER_SECOND
cdef double LAST_MOMENT
cdef int CLEARED
cdef int DROPPED

cdef class Ledger(Table):
    cdef readonly Columns columns
    cdef Policy policy
    cdef Wheel wheel
    cdef Labels labels
    cdef Graph graph
    cdef readonly Claims flights
    cdef object clock
    cdef Ticks ticks
    cdef readonly long long entry_limit
    cdef readonly long long byte_limit
    cdef readonly long long value_limit
    cdef readonly long long bytes
    cdef readonly bint weighted
    cdef readonly long long writes
    cdef readonly long long requests
    cdef readonly Accesses accesses
    cdef readonly Prefetched prefetched
    cdef long long[::1] removed
    cdef readonly double origin
    cdef double last
    cdef public bint demoting
    cdef public double grace
    cdef bint uncompiled
    cdef unsigned int tick
    cdef bint watchful
    @cython.locals(slot=int)
    cdef int lay_out(self) except -1
    cdef bint pause(self) except -1
    cdef int resume(self, bint paused) except -1
    @cython.locals(elapsed=double)
    cdef unsigned int moment(self, double now) noexcept
    cdef double now(self) except -1.0
    cdef double cheap_now(self) except -1.0
    cdef bint note_access(self, object key, unsigned int outcome, unsigned int stream) noexcept
    cdef object exchange_accesses(self, list keys, object marks, int size)
    @cython.locals(paused=bint)
    cdef int provide_prefetched(self, long long room, long long byte_room, long long lifetime) except -1
    @cython.locals(before=int, slots=int, paused=bint)
    cdef int reserve(self) except -1
    @cython.locals(paused=bint, wheel=Wheel)
    cdef int provide(self, Terms terms, bint versions) except -1
    cdef int watch(self) except -1
    @cython.locals(paused=bint)
    cpdef object ranked(self)
    cpdef int reconsider(self) except -1
    @cython.locals(paused=bint)
    cpdef object gather(self, bint go_on)
    @cython.locals(paused=bint)
    cdef int heed_sessions(self) except -1
    cdef int forget_all(self, long long stamp) except -1
