cimport cython

cdef extern from *:
    """
    static CYTHON_INLINE int scrubjay_bin(unsigned int age) {
        int octave = 0;
        unsigned int bin;
        if (age < 2) return (int)age;
    #if defined(__GNUC__) || defined(__clang__)
        octave = 31 ^ __builtin_clz(age);  /* one instruction, as a difference four */
    #else
        while (age >> (octave + 1)) octave++;
    #endif
        /* the last one is BINS - 1 */
        bin = 2 * octave + (age >> (octave - 1) & 1);
        return bin < 43 ? (int)bin : 43;
    }
    """
    int scrubjay_bin(unsigned int age) noexcept nogil

cdef int BINS
cdef int COUNTS
cdef int GAP_MARKS
cdef int SESSION_MARKS
cdef int ALL_MARKS
cdef double COMMON
cdef double AKIN
cdef double FADING

cdef class Prospects:
    cdef unsigned int clock
    cdef unsigned int entries
    cdef readonly int marks
    cdef readonly double events
    cdef double[::1] returned
    cdef double[::1] lost
    cdef double[::1] waiting
    cdef readonly double[::1] worth
    cdef double[::1] known
    cdef double[::1] widths
    cdef unsigned char[::1] kinds
    cdef double[::1] all_returned
    cdef double[::1] all_lost
    cdef double[::1] some_returned
    cdef double[::1] some_lost
    cdef double[::1] gain
    cdef double[::1] time
    cdef int[::1] until
    cdef int tell_apart(self, int marks) except -1
    @cython.locals(wide=cython.double[::1], count=int, line=int)
    cdef double[::1] widened(self, double[::1] figures, int marks)
    cdef int heed_sessions(self) except -1
    cdef int heed_tags(self) except -1
    @cython.final
    cdef unsigned char gap(self, unsigned int time) noexcept
    @cython.final
    @cython.locals(age=cython.uint)
    cdef inline int cell(self, unsigned char count, int marks, unsigned int since) noexcept
    @cython.final
    cdef void came_back(self, unsigned char count, int marks, unsigned int since) noexcept
    @cython.final
    cdef void gave_up(self, unsigned char count, int marks, unsigned int since) noexcept
    @cython.final
    @cython.locals(row=int)
    cdef void wait_for(self, unsigned char[::1] counts, unsigned char[::1] marks, unsigned int[::1] since, int keys) noexcept
    @cython.locals(line=int)
    cdef void fade(self) noexcept
    @cython.locals(kind=int, first=int, line=int, count=int, total=double, known=double)
    cdef void learn(self) noexcept
    @cython.locals(line=int, kind=int, first=int, alike=int, several=double, own=double)
    cdef void learn_count(self, int begin, double common) noexcept
    @cython.locals(line=int, until=int, exposed=double, hits=double, ends=double, rate=double, alive=double, best=double)
    cdef void rate(self, int first, double own, double akin) noexcept
    @cython.final
    @cython.locals(time=double)
    cdef inline double slope(self, int begin, int end) noexcept
