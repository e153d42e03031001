cimport cython

cdef int FAILURES
cdef double SLOWER
cdef double NOTICEABLE
cdef double FEWEST
cdef double USUAL
cdef double RECENT
cdef long long SILENCE
cdef long long LONGEST_SILENCE

cdef class Pauses:
    cdef int failed_in_a_row
    cdef readonly long long until
    cdef long long silence
    cdef double usual_seconds
    cdef double recent_seconds
    cdef double timed
    @cython.locals(slower=double)
    cdef void time(self, double seconds, long long now) noexcept
    @cython.final
    cdef inline void succeed(self) noexcept
    cdef void fail(self, long long now) noexcept
    cdef void begin(self, long long now) noexcept
