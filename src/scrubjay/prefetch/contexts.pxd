cimport cython

cdef unsigned long long MOST_CONFIDENCE

cdef class Contexts:
    cdef unsigned int mask
    cdef unsigned long long[::1] entries
    @cython.locals(length=cython.longlong, place=cython.longlong, old=cython.ulonglong[::1])
    cdef int grow(self, int slots) except -1
    @cython.locals(wide=cython.ulonglong)
    cdef unsigned long long blend(self, unsigned long long context, unsigned long long part) noexcept
    @cython.locals(place=cython.uint, entry=cython.ulonglong, tag=cython.ulonglong)
    cdef void learn(self, unsigned long long context, unsigned long long mark) noexcept
    @cython.locals(entry=cython.ulonglong)
    cdef unsigned long long find(self, unsigned long long context) noexcept
