cimport cython
from scrubjay._core.mixing cimport scrubjay_mix

cdef extern from *:
    """
    #if defined(__GNUC__) || defined(__clang__)
    #define scrubjay_fetch(place) __builtin_prefetch((place), 1)
    #else
    #define scrubjay_fetch(place) ((void)(place))
    #endif
    """
    void scrubjay_fetch(void *place) noexcept nogil

cdef unsigned int MOST
cdef long long SAMPLE
cdef int AMPLE
cdef int MANY

cdef class Sketch:
    cdef unsigned int[::1] counters
    cdef unsigned int mask
    cdef readonly long long additions
    cdef readonly int slots
    @cython.locals(blocks=int, old=int, line=int, width=int)
    cdef int grow(self, int slots) except -1
    @cython.locals(wide=cython.ulonglong, base=cython.uint, row=int, shift=cython.uint, word=cython.uint, old=cython.uint, total=cython.uint, most=cython.uint, least=cython.uint)
    cdef unsigned int add(self, unsigned int h, unsigned int times) noexcept
    @cython.locals(wide=cython.ulonglong, base=cython.uint, row=int, shift=cython.uint, count=cython.uint, least=cython.uint)
    cdef unsigned int estimate(self, unsigned int h) noexcept
    @cython.locals(base=cython.uint)
    cdef void expect(self, unsigned int h) noexcept
    @cython.locals(line=int)
    cdef void age(self) noexcept
