cimport cython

cdef int SMALLEST
cdef int BEGINNING
cdef int MOST
cdef double NOISE
cdef int LEAST_PERIOD
cdef int LONGEST_PAUSE

cdef class Guard:
    cdef readonly long long capacity
    cdef readonly long long room
    cdef long long period
    cdef long long elapsed
    cdef double gains
    cdef double harms
    cdef readonly long long all_gains
    cdef readonly long long all_harms
    cdef bint pressed
    cdef int pause
    cdef readonly int closed
    cdef int resize(self, long long capacity) except -1
    cdef inline void gain(self) noexcept
    cdef inline void harm(self) noexcept
    @cython.locals(net=double, noise=double)
    cdef void look(self) noexcept
