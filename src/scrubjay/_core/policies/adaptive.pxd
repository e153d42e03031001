cimport cython
from scrubjay._core.ghosts cimport Ghosts
from scrubjay._core.links cimport Links
from scrubjay._core.policy cimport Policy
from scrubjay._core.sketch cimport Sketch

cdef int NONE
cdef int WINDOW
cdef int PROBATION
cdef int PROTECTED
cdef int PATIENCE
cdef double COSTS
cdef double STEP
cdef double LEAST
cdef double MOST

cdef class Adaptive(Policy):
    cdef Links segments
    cdef Sketch sketch
    cdef Ghosts ghosts
    @cython.locals(step=double)
    cdef void learn(self, int region) noexcept
    cdef unsigned int[::1] seen
    cdef readonly double usual_cost
    cdef readonly double window_share
    cdef readonly double protected_share
    cdef void learn_cost(self, int slot) noexcept
    @cython.locals(slot=int, segment=int)
    cdef int victim_but(self, int keep) noexcept
    @cython.locals(entries=int)
    cdef int room(self, double share) noexcept
    cdef int segment(self, int slot) noexcept
    @cython.locals(hits=cython.uint, news=cython.uint)
    cdef unsigned int look(self, int slot) noexcept
    @cython.locals(old=int)
    cdef void move(self, int slot, int segment) noexcept
    cdef double worth(self, int slot) noexcept
    @cython.locals(slot=int, turns=int)
    cdef int leaving_window(self) noexcept
    @cython.locals(slot=int, turns=int)
    cdef int leaving_main(self) noexcept
    @cython.locals(slot=int, turns=int)
    cdef void shrink_protected(self) noexcept
    @cython.locals(newcomer=int, resident=int)
    cdef int victim(self) noexcept
