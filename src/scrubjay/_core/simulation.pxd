cimport cython
from scrubjay._core.arrangement cimport Arrangement
from scrubjay._core.columns cimport Columns
from scrubjay._core.sketch cimport Sketch

cdef int NONE

cdef class Simulation:
    cdef Arrangement arrangement
    cdef int slots
    cdef unsigned int mask
    cdef unsigned int[::1] hashes
    cdef int[::1] first
    cdef int[::1] after
    cdef int free
    cdef long long bytes
    @cython.locals(length=int, columns=Columns)
    cdef int grow(self, int slots, bint weighted, bint sized) except -1
    @cython.locals(slot=int, line=int)
    cdef void clear(self, int room) noexcept
    @cython.final
    @cython.locals(slot=int, columns=Columns, lacking=cython.longlong)
    cdef bint request(self, unsigned int h, int room, long long most, double worth, long long size) noexcept
    @cython.final
    @cython.locals(line=cython.uint, before=int)
    cdef inline void drop(self, int slot) noexcept
