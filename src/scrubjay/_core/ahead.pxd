cimport cython
from scrubjay._core.operations cimport Operations
from scrubjay._core.prefetched cimport Prefetched
from scrubjay._core.terms cimport Terms

cdef int NONE
cdef int OUTCOMES
cdef long long MOST

cdef class Ahead(Operations):
    cdef readonly object learner
    cdef bint watched
    cdef int heed(self) except -1
    cdef int wake_learner(self, bint urgent) except -1
    cdef object exchange(self, int rows)
    @cython.locals(keys=list, marks="unsigned int[::1]", filled=int, row=int, mask=cython.uint)
    cpdef take_accesses(self)
    @cython.locals(stamp=cython.longlong, slot=int, cause=int)
    cpdef int drop_overdue(self) except -1
    cpdef int put_ahead(self, object key, object value, Terms terms) except -5
    @cython.locals(stamp=cython.longlong, slot=int, held=cython.bint)
    cpdef bint waits(self, object key) except -1
