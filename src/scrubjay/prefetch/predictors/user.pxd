cimport cython
from scrubjay.prefetch.contexts cimport Contexts
from scrubjay.prefetch.predictor cimport Predictor
from scrubjay.prefetch.scene cimport Scene

cdef int NONE

cdef class User(Predictor):
    cdef int slots
    cdef bint open
    cdef int begin(self) except -1
    cdef Contexts contexts
    cpdef int grow(self, int slots) except -1
    @cython.locals(place=int, whose=cython.ulonglong)
    cpdef int learn(self, Scene scene) except -1
    @cython.locals(whose=cython.ulonglong, entry=cython.ulonglong, slot=int, strength=int, band=int)
    cpdef int propose(self, Scene scene) except -1
    cpdef dict parts(self)
    cpdef object wake(self, long long size)
