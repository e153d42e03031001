cimport cython

cdef unsigned long long MOST_CONFIDENCE
cdef int WAYS

cdef class Contexts:
    cdef unsigned int mask
    cdef int turn
    cdef unsigned long long[::1] entries
    cdef unsigned long long[::1] next
    @cython.locals(length=cython.longlong, place=cython.longlong, old=cython.ulonglong[::1])
    cdef int grow(self, int slots) except -1
    @cython.locals(wide=cython.ulonglong)
    cdef unsigned long long blend(self, unsigned long long context, unsigned long long part) noexcept
    @cython.locals(base=cython.longlong, place=cython.longlong, least=cython.longlong, entry=cython.ulonglong, tag=cython.ulonglong)
    cdef bint learn(self, unsigned long long context, unsigned long long mark) noexcept
    @cython.locals(base=cython.longlong, place=cython.longlong, entry=cython.ulonglong, tag=cython.ulonglong)
    cdef unsigned long long find(self, unsigned long long context) noexcept
    cdef void forget(self, int slot) noexcept
    @cython.locals(entry=cython.ulonglong)
    cdef bint learn_next(self, int slot, unsigned long long mark) noexcept
