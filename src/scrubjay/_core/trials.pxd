cimport cython
from scrubjay._core.arrangement cimport Arrangement
from scrubjay._core.simulation cimport Simulation
from scrubjay._core.sketch cimport Sketch

cdef int NONE
cdef int NUMBER
cdef int FULL
cdef long long SQUARE
cdef int ALWAYS
cdef double RISK
cdef double SHORT
cdef double ABRUPT
cdef double EPOCH
cdef double HORIZON
cdef double MARGIN

cdef class Trials:
    cdef Sketch sketch
    cdef list simulations
    cdef double[::1] misses
    cdef double[::1] burdens
    cdef double requests
    cdef double asked
    cdef double[::1] recent
    cdef long long fresh
    cdef readonly int way
    cdef readonly int changes
    cdef readonly int shift
    cdef unsigned long long skip
    cdef int rows
    @cython.locals(rows=int, simulation=Simulation)
    cdef int grow(self, int slots) except -1
    @cython.locals(shift=int, most=cython.longlong)
    cdef int suited(self, int entries) noexcept
    @cython.locals(way=int, segment=int, slot=int, room=int, simulation=Simulation)
    cdef void begin(self, int entries, Arrangement live) noexcept
    @cython.final
    @cython.locals(room=int)
    cdef inline int room(self, int entries) noexcept
    @cython.final
    @cython.locals(wide=cython.ulonglong)
    cdef inline bint samples(self, unsigned int h) noexcept
    @cython.locals(way=int, room=int, simulation=Simulation)
    cdef void request(self, unsigned int h, int entries) noexcept
    @cython.locals(way=int)
    cdef void compare(self) noexcept
    @cython.locals(way=int, best=int, margin=double)
    cdef void choose(self) noexcept
    cpdef dict describe(self)
