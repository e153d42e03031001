cimport cython

cdef double LATELY

cdef class Tally:
    cdef long long[::1] issued_of
    cdef long long[::1] used_of
    cdef long long[::1] late_of
    cdef readonly long long misses, plain_misses, issued, used, late, wasted, failures
    cdef readonly double accuracy
    @cython.final
    cdef inline void issue(self, int kind, int count) noexcept
    @cython.final
    cdef inline void use(self, int kind) noexcept
    @cython.final
    cdef inline void join(self, int kind) noexcept
    @cython.final
    cdef inline void judge(self, double part) noexcept
