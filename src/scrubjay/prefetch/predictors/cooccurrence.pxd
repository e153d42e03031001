cimport cython
from scrubjay.prefetch.predictor cimport Predictor
from scrubjay.prefetch.scene cimport Scene
from scrubjay.prefetch.successors cimport Successors

cdef int NONE
cdef int BANDS
cdef int WINDOW

cdef class CoOccurrence(Predictor):
    cdef Successors successors
    cpdef int grow(self, int slots) except -1
    cpdef int forget(self, int slot) except -1
    @cython.locals(step=int)
    cpdef int learn(self, Scene scene) except -1
    @cython.locals(before=int)
    cdef void count(self, Scene scene, int place, int distance) noexcept
    cpdef int propose(self, Scene scene) except -1
