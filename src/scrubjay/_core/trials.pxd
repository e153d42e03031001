cimport cython
from scrubjay._core.mixing cimport scrubjay_mix
from scrubjay._core.arrangement cimport Arrangement
from scrubjay._core.histories cimport Histories
from scrubjay._core.prospects cimport Prospects
from scrubjay._core.regret cimport Regret
from scrubjay._core.runs cimport Runs
from scrubjay._core.simulation cimport Simulation
from scrubjay._core.sketch cimport Sketch

cdef int NONE
cdef unsigned char COLD
cdef long long MOST
cdef int NUMBER
cdef int ALIKE
cdef int BY_PROSPECTS
cdef int FIRST
cdef int FIRST_VALUED
cdef int ALWAYS
cdef int FULL
cdef long long SQUARE
cdef double EPOCH
cdef double[::1] HORIZONS
cdef double[::1] CLEAR
cdef int LONG
cdef int SHORT
cdef double RISK
cdef double MARGIN
cdef double CAUTION

cdef class Trials:
    cdef Sketch sketch
    cdef list simulations
    cdef Prospects prospects
    cdef Histories histories
    cdef int number
    cdef int horizons
    cdef double[::1] misses
    cdef double[::1] requests
    cdef double[::1] common
    cdef bint alike
    cdef double[::1] lately
    cdef double lived
    cdef double[::1] whole
    cdef double whole_requests
    cdef double whole_common
    cdef Runs runs
    cdef Regret regret
    cdef double[::1] burdens
    cdef double asked
    cdef long long fresh
    cdef double seen
    cdef int entries
    cdef long long entry_limit
    cdef long long byte_limit
    cdef long long limit
    cdef long long most
    cdef bint weighted
    cdef bint sized
    cdef readonly int way
    cdef readonly int changes
    cdef readonly int shift
    cdef unsigned long long skip
    cdef int rows
    @cython.locals(rows=int)
    cdef int grow(self, int slots, bint weighted, bint sized) except -1
    @cython.locals(number=int, way=int, simulation=Simulation, simulations=list)
    cdef int allocate(self, int rows, bint weighted, bint sized) except -1
    @cython.locals(cell=int, horizon=int, way=int)
    cdef void forget(self) noexcept
    @cython.locals(way=int)
    cdef void forget_lately(self) noexcept
    @cython.locals(shift=int, most=cython.longlong)
    cdef int suited(self, int entries) noexcept
    @cython.locals(room=int, simulation=Simulation)
    cdef void clear(self, int shift, int entries, long long entry_limit, long long byte_limit) noexcept
    @cython.locals(line=int, slot=int)
    cdef void begin(self, Arrangement live) noexcept
    @cython.locals(room=int, h=cython.uint, worth=double, size=cython.longlong, known=cython.uint, marks=cython.uchar, since=cython.uint, count=cython.uchar, simulation=Simulation)
    cdef void seed(self, Arrangement live, int slot) noexcept
    @cython.locals(simulation=Simulation, counted=int)
    cdef int count(self) noexcept
    @cython.locals(cell=int, way=int, horizon=int, share=double)
    cdef void inherit(self, Trials other) noexcept
    @cython.final
    @cython.locals(room=cython.longlong)
    cdef inline int room(self) noexcept
    @cython.final
    @cython.locals(entries=int)
    cdef inline int full(self) noexcept
    @cython.final
    cdef inline void hold(self, int entries) noexcept
    @cython.final
    cdef inline bint samples(self, unsigned int h) noexcept
    cdef int heed_sessions(self) except -1
    @cython.locals(way=int, room=int, missed=int, hit=bint, count=cython.uint, simulation=Simulation)
    cdef int request(self, unsigned int h, double worth, long long size) noexcept
    @cython.final
    cdef inline void miss(self, double worth) noexcept
    @cython.locals(way=int, best=int, horizon=int, share=double)
    cdef void compare(self) noexcept
    @cython.locals(way=int, best=int, horizon=int, first=int, margin=double, saved=double, common=double, least=double, burdened=double, misses=double)
    cdef void choose(self) noexcept
    @cython.locals(way=int, horizon=int, missed=double)
    cdef void sum_up(self) noexcept
    cdef void change(self, int way) noexcept
    @cython.locals(way=int)
    cdef void begin_with(self, int horizon, int other) noexcept
    cpdef dict describe(self)
