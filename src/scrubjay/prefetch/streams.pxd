cimport cython

cdef int NONE
cdef int LENGTH
cdef int WAYS
cdef int SETS

cdef class Streams:
    cdef long long[::1] names
    cdef long long[::1] used
    cdef long long[::1] count
    cdef unsigned long long[::1] marks
    cdef unsigned int[::1] times
    cdef int rows
    cdef readonly bint fresh
    cdef readonly bint several
    @cython.locals(mixed=cython.ulonglong, base=int, oldest=int, row=int)
    cdef int row(self, long long stream, long long now) except -2
    cdef int spread_out(self) except -1
    @cython.final
    @cython.locals(place=int)
    cdef void push(self, int row, unsigned long long mark, long long now) noexcept
    @cython.final
    cdef inline int before(self, int row, int steps) noexcept
