cimport cython
from scrubjay._core.columns cimport Columns
from scrubjay._core.ghosts cimport Ghosts
from scrubjay._core.links cimport Links
from scrubjay._core.sketch cimport Sketch

cdef int NONE
cdef int WINDOW
cdef int PROBATION
cdef int PROTECTED
cdef int PATIENCE
cdef int ALWAYS
cdef int FREQUENCY
cdef int GHOSTS
cdef double COSTS
cdef double ALIKE

cdef class Arrangement:
    cdef Columns columns
    cdef unsigned int[::1] hashes
    cdef readonly Links segments
    cdef Sketch sketch
    cdef Ghosts ghosts
    cdef bint reporting
    cdef unsigned int[::1] seen
    cdef readonly int count
    cdef int rule
    cdef readonly double usual_cost
    cdef readonly double aim
    cdef readonly double window_share
    cdef readonly double protected_share
    cdef int adopt(self, int way) except -1
    cdef int grow(self, int slots, unsigned int[::1] hashes) except -1
    @cython.final
    @cython.locals(entries=int)
    cdef inline int room(self, double share) noexcept
    @cython.final
    @cython.locals(hits=cython.uint, news=cython.uint)
    cdef inline unsigned int look(self, int slot) noexcept
    @cython.final
    cdef inline void move(self, int slot, int segment) noexcept
    @cython.final
    @cython.locals(weight=double)
    cdef double weight(self, int slot) noexcept
    @cython.final
    @cython.locals(ours=double, theirs=double)
    cdef bint prevails(self, int newcomer, int resident) noexcept
    @cython.final
    @cython.locals(h=cython.uint, segment=int)
    cdef void insert(self, int slot) noexcept
    @cython.final
    cdef void learn_cost(self, int slot) noexcept
    @cython.final
    cdef void remove(self, int slot) noexcept
    @cython.final
    @cython.locals(slot=int, turns=int)
    cdef int leaving_window(self) noexcept
    @cython.final
    @cython.locals(slot=int, turns=int, most=int)
    cdef void shrink_protected(self) noexcept
    @cython.final
    @cython.locals(slot=int, turns=int)
    cdef int leaving_main(self) noexcept
    @cython.final
    @cython.locals(step=double)
    cdef void shift(self) noexcept
    @cython.final
    @cython.locals(newcomer=int, resident=int, leaving=int)
    cdef int victim(self) noexcept
    @cython.final
    cdef inline bint weighted(self) noexcept
    @cython.final
    @cython.locals(slot=int, segment=int)
    cdef int victim_but(self, int keep) noexcept
    cdef void clear(self) noexcept
