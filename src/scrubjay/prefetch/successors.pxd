cimport cython
from scrubjay.prefetch.scene cimport Scene

cdef int WIDTH
cdef int FULL
cdef unsigned char[::1] CONFIDENCE
cdef unsigned char[::1] EXPERIENCE

cdef class Successors:
    cdef int slots
    cdef unsigned long long[::1] entries
    cdef unsigned char[::1] asked
    cdef int grow(self, int slots) except -1
    @cython.locals(place=cython.longlong)
    cdef void forget(self, int slot) noexcept
    @cython.locals(place=cython.longlong, asked=int, entry=cython.ulonglong, count=cython.ulonglong)
    cdef void ask(self, int slot) noexcept
    @cython.locals(place=cython.longlong, least=cython.longlong, fewest=cython.ulonglong, entry=cython.ulonglong, count=cython.ulonglong)
    cdef void follow(self, int slot, unsigned long long mark, int distance) noexcept
    @cython.locals(place=cython.longlong, asked=int, experience=int, entry=cython.ulonglong, follower=int, confidence=int, band=int)
    cdef void propose(self, Scene scene, int slot, int base) noexcept
