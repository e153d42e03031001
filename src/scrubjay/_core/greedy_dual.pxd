cimport cython
from scrubjay._core.links cimport Links

cdef int NONE
cdef int QUEUES
cdef int ONE

cdef class GreedyDual:
    cdef Links lists
    cdef int first
    cdef double[::1] worth
    cdef double[::1] rank
    cdef unsigned char[::1] queue
    cdef int[::1] cursors
    cdef double inflation
    cdef int lowest
    cdef int highest
    cdef readonly int count
    cdef int grow(self, int slots) except -1
    @cython.final
    @cython.locals(low=int, high=int, middle=int)
    cdef int suited(self, double value) noexcept
    @cython.final
    @cython.locals(queue=int)
    cdef void place(self, int slot, double value) noexcept
    @cython.final
    cdef void take(self, int slot) noexcept
    @cython.final
    @cython.locals(found=int, queue=int, slot=int)
    cdef int least(self) noexcept
    @cython.locals(queue=int)
    cdef void begin_walk(self) noexcept
    @cython.final
    @cython.locals(found=int, queue=int, slot=int, line=int)
    cdef int walk(self) noexcept
    cdef void clear(self) noexcept
