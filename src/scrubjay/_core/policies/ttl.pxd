cimport cython
from scrubjay._core.links cimport Links
from scrubjay._core.policy cimport Policy

cdef int NONE
cdef double NEVER

cdef class TTL(Policy):
    cdef Links lasting
    cdef int[::1] heap
    cdef int[::1] place
    cdef long long[::1] order
    cdef readonly int expiring
    cdef long long turn
    cdef void enter(self, int slot, long long order) noexcept
    cdef bint sooner(self, int one, int other) noexcept
    @cython.locals(above=int)
    cdef void rise(self, int slot, int at) noexcept
    @cython.locals(below=int, least=int)
    cdef void sink(self, int slot, int at) noexcept
    @cython.locals(at=int, last=int)
    cdef void remove(self, int slot) noexcept
