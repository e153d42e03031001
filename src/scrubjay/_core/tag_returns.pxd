cimport cython

cdef int NONE
cdef int ROWS
cdef double KNOWN
cdef double COLD_SHARE

cdef class TagReturns:
    cdef double[::1] returned
    cdef double[::1] lost
    cdef double[::1] waiting
    cdef readonly double all_returned
    cdef readonly double all_lost
    cdef readonly double all_waiting
    cdef unsigned int draws
    @cython.locals(row=int, other=int, number=cython.uint, limit=double, coldest=double, share=double)
    cdef int row_of(self, frozenset tags) except -2
    @cython.final
    cdef bint is_cold(self, int row) noexcept
    @cython.final
    @cython.locals(known=double)
    cdef double limit(self) noexcept
    @cython.final
    @cython.locals(known=double)
    cdef inline double share(self, int row) noexcept
    @cython.final
    cdef inline void came_back(self, int row) noexcept
    @cython.final
    cdef inline void gave_up(self, int row) noexcept
    @cython.locals(row=int)
    cdef void begin_waiting(self) noexcept
    @cython.final
    cdef inline void waits(self, int row) noexcept
    @cython.locals(row=int)
    cdef void fade(self, double share) noexcept
