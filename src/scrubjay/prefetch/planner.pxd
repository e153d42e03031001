cimport cython
from scrubjay.prefetch.model cimport Model

cdef int NONE

cdef class Planner(Model):
    cdef list sources
    @cython.locals(planned=list)
    cpdef object plan(self, int most)
    @cython.locals(slot=int, kind=int)
    cdef object next_guess(self)
    cpdef object fetched(self, object guess, double seconds, bint stored)
    cpdef object failed(self, object guess)
    cpdef object room(self)
    cpdef object lifetime(self)
    cpdef object resize(self, long long capacity)
