cimport cython
from scrubjay._core.columns cimport Columns
from scrubjay._core.steps cimport Steps

cdef unsigned int COUNT
cdef int NONE
cdef object EMPTY
cdef double PER_SECOND

cdef class Inspection(Steps):
    cpdef object facts(self, object key)
    cpdef object stale(self, object key)
    @cython.locals(h=cython.uint, slot=int, stamp=cython.longlong)
    cdef object facts_at(self, object key, double now)
    @cython.locals(columns=Columns, expires=bint)
    cpdef object row(self, int slot, double now)
    @cython.locals(columns=Columns)
    cdef double hard_deadline(self, int slot) except? -1.0
    @cython.locals(columns=Columns, stamp=cython.longlong)
    cpdef object item_at(self, int slot, double now)
    cpdef bint contains(self, object key) except -1
    cpdef object peek(self, object key, object default=*)
