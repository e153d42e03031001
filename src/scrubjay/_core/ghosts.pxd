cimport cython
from scrubjay._core.mixing cimport scrubjay_mix

cdef class Ghosts:
    cdef unsigned short[::1] table
    cdef int cells
    cdef readonly int length
    cdef long long gone
    cdef unsigned int tick
    cdef int phase
    cdef int grow(self, int slots) except -1
    @cython.final
    cdef void remember(self, unsigned int h) noexcept
    @cython.final
    @cython.locals(wide=cython.ulonglong, mark=cython.uint)
    cdef inline void mark(self, unsigned int h) noexcept
    @cython.final
    @cython.locals(wide=cython.ulonglong, ghost=cython.uint, mark=cython.uint)
    cdef bint holds(self, unsigned int h) noexcept
    cdef void keep_time(self, int length) noexcept
    @cython.locals(cell=int)
    cdef void clear(self, int length) noexcept
