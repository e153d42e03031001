cimport cython
from scrubjay._core.graph cimport Node
from scrubjay._core.inspection cimport Inspection

cdef int NONE
cdef int EXPIRED
cdef int INVALIDATED
cdef int CLEARED
cdef object EMPTY

cdef class Removal(Inspection):
    cdef public bint listening
    cdef public bint attentive
    cdef public bint swept
    @cython.final
    cdef list hoard(self, list garbage, object key, object value, int cause)
    @cython.locals(h=cython.uint, stamp=cython.longlong, slot=int, node=Node, nodes=cython.longlong, claims=cython.longlong, live=cython.bint)
    cdef bint withdraw(self, object key, int cause, list garbage, bint even_if_absent) except -1
    @cython.locals(deadline=double)
    cdef bint lives(self, int slot) except -1
    @cython.locals(slot=int, stamp=cython.longlong, taken=int)
    cpdef int collect(self, double now, bint exactly, int most) except -1
    @cython.locals(position=int)
    cdef int dispose(self, list garbage) except -1
