cimport cython
from scrubjay._core.arrangement cimport Arrangement
from scrubjay._core.simulation cimport Simulation
from scrubjay._core.sketch cimport Sketch

cdef int NONE
cdef int NUMBER
cdef int ALIKE
cdef int FIRST
cdef int FIRST_VALUED
cdef long long MOST
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
    cdef int number
    cdef double seen
    cdef long long limit
    cdef long long most
    cdef bint weighted
    cdef bint sized
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
    cdef int grow(self, int slots, bint weighted, bint sized) except -1
    @cython.locals(way=int)
    cdef void forget(self) noexcept
    @cython.locals(shift=int, most=cython.longlong)
    cdef int suited(self, int entries) noexcept
    @cython.locals(way=int, line=int, slot=int, room=int, simulation=Simulation)
    cdef void begin(self, int entries, long long limit, long long size, Arrangement live) noexcept
    @cython.final
    @cython.locals(room=cython.longlong)
    cdef inline int room(self, int entries) noexcept
    @cython.final
    @cython.locals(wide=cython.ulonglong)
    cdef inline bint samples(self, unsigned int h) noexcept
    @cython.locals(way=int, room=int, simulation=Simulation)
    cdef void request(self, unsigned int h, int entries, double worth, long long size) noexcept
    @cython.locals(full=int)
    cdef inline int measure(self, int entries) noexcept
    @cython.locals(way=int)
    cdef void compare(self) noexcept
    @cython.locals(way=int, best=int, margin=double)
    cdef void choose(self) noexcept
    cpdef dict describe(self)
