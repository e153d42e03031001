cimport cython
from scrubjay.prefetch.contexts cimport Contexts
from scrubjay.prefetch.predictor cimport Predictor
from scrubjay.prefetch.scene cimport Scene
from scrubjay.prefetch.streams cimport Streams
from scrubjay.prefetch.successors cimport Successors

cdef int NONE
cdef int WINDOW
cdef int AHEAD
cdef int DEEPEST
cdef int DISTANCES
cdef int STRENGTHS
cdef int ORDERS
cdef int BANDS

cdef class Sequence(Predictor):
    cdef Successors successors
    cdef Contexts contexts
    cpdef int grow(self, int slots) except -1
    cpdef int forget(self, int slot) except -1
    @cython.locals(streams=Streams, skipped=int, step=int, place=int, before=int)
    cpdef int learn(self, Scene scene) except -1
    @cython.locals(streams=Streams, place=int, last=cython.ulonglong, slot=int, pair=cython.ulonglong, triple=cython.ulonglong)
    cdef void learn_chain(self, Scene scene) noexcept
    @cython.locals(streams=Streams, contexts=Contexts, first=cython.ulonglong, second=cython.ulonglong, third=cython.ulonglong, place=int, slot=int, weakest=int, depth=int, deepest=int, order=int, entry=cython.ulonglong, longer=cython.ulonglong, context=cython.ulonglong, strength=int, band=int, far=int, kind=int)
    cpdef int propose(self, Scene scene) except -1
