cimport cython

cdef int NUMBER
cdef int EPOCHS
cdef int BLOCKS
cdef double LEAD

cdef class Runs:
    cdef double[::1] misses
    cdef int block
    cdef int epochs
    cdef int filled
    @cython.final
    cdef inline void add(self, int way, double misses) noexcept
    @cython.locals(best=int, other=int, least=double, misses=double)
    cdef int next_epoch(self, int way, int number, double doubt) noexcept
    @cython.locals(block=int)
    cdef bint leads(self, int way, int other) noexcept
    @cython.locals(block=int, misses=double)
    cdef double sum(self, int way) noexcept
    @cython.locals(way=int)
    cdef void clear(self) noexcept
