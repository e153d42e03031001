cimport cython
from scrubjay.prefetch.predictor cimport Predictor
from scrubjay.prefetch.scene cimport Scene
from scrubjay.prefetch.streams cimport Streams
from scrubjay.prefetch.successors cimport Successors

cdef int NONE
cdef int BANDS
cdef int STREAMS
cdef int OPENING

cdef class Session(Predictor):
    cdef int slots
    cdef bint open
    cdef int begin(self) except -1
    cdef Successors beginning
    cdef Successors followers
    cdef unsigned long long[::1] first
    cpdef int grow(self, int slots) except -1
    cpdef int forget(self, int slot) except -1
    @cython.locals(streams=Streams, count=cython.longlong, first=int)
    cpdef int learn(self, Scene scene) except -1
    @cython.locals(streams=Streams)
    cpdef int propose(self, Scene scene) except -1
    cpdef dict parts(self)
    cpdef object wake(self, long long size)
