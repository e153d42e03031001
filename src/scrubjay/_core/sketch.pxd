cimport cython

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
    @cython.locals(wide=cython.ulonglong, base=cython.uint, row=int, shift=cython.uint, word=cython.uint, old=cython.uint, total=cython.uint, most=cython.uint)
    cdef void add(self, unsigned int h, unsigned int times) noexcept
    @cython.locals(wide=cython.ulonglong, base=cython.uint, row=int, shift=cython.uint, count=cython.uint, least=cython.uint)
    cdef unsigned int estimate(self, unsigned int h) noexcept
    @cython.locals(line=int)
    cdef void age(self) noexcept
