cimport cython
from scrubjay._core.columns cimport Columns
from scrubjay._core.links cimport Links

cdef int NONE
cdef double NEVER
cdef int LEVELS
cdef int DUE
cdef double PER_SECOND
cdef double FURTHEST

cdef class Wheel:
    cdef Columns columns
    cdef Links buckets
    cdef int[::1] bucket
    cdef long long tick
    cdef double grace
    cdef readonly int count
    cdef int grow(self, int slots) except -1
    @cython.locals(ahead=double, tick=cython.longlong, delta=cython.longlong, level=int, line=int)
    cdef void place(self, int slot) noexcept
    cdef void schedule(self, int slot) noexcept
    cdef void cancel(self, int slot) noexcept
    @cython.locals(target=cython.longlong, start=cython.longlong, end=cython.longlong, first=cython.longlong, level=int, turn=int, steps=int)
    cdef int advance(self, double now, bint exactly) noexcept
    @cython.locals(slot=int, after=int)
    cdef void empty(self, int line, double now) noexcept
    @cython.locals(level=int, turn=int, base=cython.longlong, line=int, soonest=double, start=double)
    cdef double next_turn(self) noexcept
    cdef void clear(self) noexcept
