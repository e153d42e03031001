cimport cython

cdef int NONE

cdef class Ghosts:
    cdef long long[::1] table
    cdef unsigned int mask
    cdef unsigned int skip
    cdef readonly long long depth
    cdef long long[::1] gone
    @cython.locals(length=int)
    cdef int grow(self, int slots) except -1
    cdef void remember(self, unsigned int h, int region) noexcept
    @cython.locals(ghost=cython.longlong, region=int)
    cdef int recall(self, unsigned int h) noexcept
