cimport cython
from scrubjay.prefetch.model cimport Model
from scrubjay.prefetch.predictor cimport Predictor
from scrubjay.prefetch.scene cimport Scene

cdef int NONE

cdef class Planner(Model):
    cdef list sources
    @cython.locals(planned=list)
    cpdef object plan(self, int most)
    @cython.locals(slot=int, kind=int)
    cdef object next_guess(self)
    @cython.locals(slot=int, scene=Scene, line=int, kind=int, worth=double, predictor=Predictor)
    cpdef object predict(self, object key, long long stream, int most)
    cpdef object fetched(self, object guess, double seconds, bint stored)
    cpdef object failed(self, object guess)
    cpdef object room(self)
    cpdef object lifetime(self)
    cpdef object resize(self, long long capacity)
