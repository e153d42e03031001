cimport cython
from scrubjay.prefetch.contexts cimport Contexts
from scrubjay.prefetch.predictor cimport Predictor
from scrubjay.prefetch.scene cimport Scene
from scrubjay.prefetch.streams cimport Streams
from scrubjay.prefetch.successors cimport Successors

cdef int NONE
cdef int WINDOW
cdef int DEEPEST
cdef int CHAIN_BANDS
cdef int BANDS

cdef class Sequence(Predictor):
    cdef Successors successors
    cdef Contexts contexts
    cpdef int grow(self, int slots) except -1
    cpdef int forget(self, int slot) except -1
    @cython.locals(streams=Streams, skipped=int, step=int, place=int, before=int, last=int, context=cython.ulonglong)
    cpdef int learn(self, Scene scene) except -1
    @cython.locals(streams=Streams, first=int, second=cython.ulonglong, before=cython.ulonglong, third=cython.ulonglong, weakest=int, depth=int, context=cython.ulonglong, entry=cython.ulonglong, order=int, slot=int, strength=int, band=int, far=int)
    cpdef int propose(self, Scene scene) except -1
