cimport cython

cdef int OUTCOMES
cdef long long LATER

cdef class Accesses:
    cdef list keys
    cdef unsigned int[::1] marks
    cdef int size
    cdef int filled
    cdef readonly long long lost
    @cython.final
    @cython.locals(place=int)
    cdef inline bint append(self, object key, unsigned int outcome, unsigned int stream) noexcept
    cdef tuple exchange(self, list keys, object marks, int size)
