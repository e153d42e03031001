cimport cython
from scrubjay._core.links cimport Links
from scrubjay._core.policy cimport Policy

cdef int NONE
cdef unsigned int MOST
cdef unsigned int RING

cdef class LFU(Policy):
    cdef Links rings
    cdef unsigned int[::1] key
    cdef unsigned short[::1] uses
    cdef unsigned int age
    @cython.locals(key=cython.uint)
    cdef void place(self, int slot) noexcept
    @cython.locals(key=cython.uint)
    cdef void restore(self, int slot, int uses) noexcept
    @cython.locals(step=cython.uint)
    cdef bint rank(self, object found) except -1
    @cython.locals(uses=cython.uint)
    cdef void hit(self, int slot) noexcept
