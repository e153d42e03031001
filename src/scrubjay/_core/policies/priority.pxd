cimport cython
from scrubjay._core.links cimport Links
from scrubjay._core.policy cimport Policy

cdef int NONE

cdef class Priority(Policy):
    cdef Links levels
    cdef int[::1] level
    cdef dict numbers
    cdef list queue
    cdef list spare
    @cython.locals(number=int)
    cdef int number_of(self, double priority) except -1
    @cython.locals(number=int)
    cdef void insert(self, int slot) noexcept
    @cython.locals(number=int)
    cdef void restore(self, int slot, int uses) noexcept
    @cython.locals(number=int)
    cdef void hit(self, int slot) noexcept
    @cython.locals(number=int)
    cdef int victim(self) noexcept
