cdef int NONE
cdef int JUDGED
cdef double MOST_DOUBT
cdef double CALM

cdef class Regret:
    cdef double doubt
    cdef int left
    cdef int epochs
    cdef double gain
    cdef void change(self, int left) noexcept
    cdef bint next_epoch(self) noexcept
    cdef void clear(self) noexcept
