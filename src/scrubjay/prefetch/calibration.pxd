cimport cython

cdef double PRIOR
cdef double MEMORY
cdef double PACE
cdef double TOLERANCE
cdef double CHANCES
cdef double LIFT
cdef int STEPS

cdef class Calibration:
    cdef readonly int kinds
    cdef double[::1] tries
    cdef double[::1] right
    cdef double[::1] lately
    cdef double[::1] worth
    cdef double[::1] chance
    cdef double[::1] begun
    cdef double[::1] amounts
    @cython.locals(worth=double)
    cdef void judge(self, int kind, double part) noexcept
    @cython.final
    cdef inline void expect(self, int kind, double chance) noexcept
    @cython.final
    cdef inline bint lifts(self, int kind) noexcept
    @cython.locals(step=int, kind=int, amount=double)
    cdef double threshold(self, double loads, double waste) noexcept
    @cython.locals(kind=int)
    cdef void fade(self, double part) noexcept
    cpdef dict parts(self)
