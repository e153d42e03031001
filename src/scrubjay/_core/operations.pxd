cimport cython
from scrubjay._core.graph cimport Graph, Node
from scrubjay._core.removal cimport Removal
from scrubjay._core.sizing cimport Sizing
from scrubjay._core.terms cimport Terms

cdef int NONE
cdef int EVICTED
cdef int REPLACED
cdef int REJECTED
cdef object EMPTY
cdef int STORED
cdef int AGAIN
cdef int NEW_NODES
cdef int PRESENT
cdef int REFUSED

cdef class Operations(Removal):
    cdef readonly long long rejected
    cdef readonly object sizer
    cdef Sizing sizing
    cdef public bint guarded
    cdef public Terms usual
    cdef readonly object observer
    cdef readonly long long sampled
    cdef bint is_sampled(self, unsigned int h) noexcept
    cdef long long measure(self, object key, object value) except -1
    @cython.locals(h=cython.uint, stamp=cython.longlong, slot=int)
    cdef object tie(self, Node node)
    @cython.locals(h=cython.uint, size=cython.longlong, status=int)
    cdef int write(self, object key, object value, Terms terms) except -5
    @cython.locals(graph=Graph, nodes=cython.longlong)
    cdef int enter_dependent(self, object key, unsigned int h, object value, long long size, Terms terms) except -5
    @cython.locals(slot=int, leaving=int, cause=int, asking=cython.bint, stamp=cython.longlong, at=cython.longlong, status=int, now=double, claims=cython.longlong)
    cdef int enter(self, object key, unsigned int h, object value, long long size, Terms terms, Node node, object needs, long long nodes) except -5
