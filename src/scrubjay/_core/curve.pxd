cimport cython
from scrubjay._core.mixing cimport scrubjay_mix
from scrubjay._core.arrangement cimport Arrangement
from scrubjay._core.trials cimport Trials

cdef int NONE
cdef long long MOST
cdef int[::1] HALVES
cdef int SIZES
cdef int GROUPS
cdef int LARGEST
cdef int WARM
cdef int PATIENCE
cdef int MANY

cdef class Curve:
    cdef list trials
    cdef bint whole
    cdef bint counting
    cdef bint simulating
    cdef long long begun
    cdef int entries
    cdef int shift
    cdef long long requests
    cdef long long misses
    cdef long long counted
    cdef long long missed
    cdef long long simulated
    cdef long long off
    cdef long long[::1] seen
    cdef long long[::1] gained
    @cython.locals(size=int, rows=int, trials=Trials)
    cdef int grow(self, int slots, bint weighted, bint sized) except -1
    @cython.final
    cdef inline int scaled(self, int entries, int size) noexcept
    @cython.final
    cdef inline long long scaled_bound(self, long long bound, int size) noexcept
    cdef void redraw(self) noexcept
    cdef void clear(self) noexcept
    cdef void fit(self, int entries, Arrangement live, Trials present) noexcept
    @cython.locals(size=int, trials=Trials)
    cdef bint suits(self, int entries) noexcept
    @cython.locals(size=int, shift=int, line=int, slot=int, h=cython.uint, trials=Trials)
    cdef void begin(self, Arrangement live, Trials present) noexcept
    @cython.locals(cell=int)
    cdef void recount(self) noexcept
    @cython.locals(
        group=int, size=int, gain=int, lost=int, weight=cython.longlong, trials=Trials
    )
    cdef void request(self, unsigned int h, double worth, long long bulk, int missed, int expected, int shift) noexcept
    @cython.locals(size=int, trials=Trials)
    cdef void ascribe(self, unsigned int h, unsigned int session) noexcept
    @cython.locals(size=int, trials=Trials)
    cdef void follow(self, unsigned int h) noexcept
    @cython.locals(size=int, room=int, full=bint, trials=Trials)
    cdef bint is_warm(self) noexcept
    @cython.locals(size=int, group=int, trials=Trials)
    cdef dict report(self)
