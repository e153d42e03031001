cimport cython
from scrubjay._core.arrangement cimport Arrangement
from scrubjay._core.greedy_dual cimport GreedyDual

cdef int NONE
cdef int PROBATION
cdef int PROTECTED
cdef int WINDOW

cdef class Ranking:
    cdef Arrangement live
    cdef int collect(self, object found) except -1
    @cython.locals(slot=int)
    cdef int collect_segment(self, int segment, bint read, object found) except -1
    @cython.locals(values=GreedyDual, slot=int)
    cdef int collect_values(self, bint read, object found) except -1
