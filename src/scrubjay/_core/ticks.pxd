cimport cython

cdef extern from *:
    """
    #ifdef __linux__
    #include <time.h>
    static double scrubjay_clock(int coarse) {
        struct timespec t;
        clock_gettime(coarse ? CLOCK_MONOTONIC_COARSE : CLOCK_MONOTONIC, &t);
        return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
    }
    #else
    static double scrubjay_clock(int coarse) { (void)coarse; return -1.0; }
    #endif
    """
    double scrubjay_clock(int coarse) noexcept nogil

cdef class Ticks:
    @cython.locals(now=cython.double)
    cdef double exact(self) noexcept
    @cython.locals(now=cython.double)
    cdef double coarse(self) noexcept
