cimport cython
from scrubjay._core.arrangement cimport Arrangement
from scrubjay._core.graph cimport Graph, Node
from scrubjay._core.outlook cimport Outlook

cdef int NONE
cdef unsigned int COUNT
cdef int LINKS
cdef int SIDES
cdef unsigned int TOGETHER

cdef class Chains:
    cdef Arrangement live
    @cython.locals(node=Node, before=Node, dependent=Node, looks=int, other=int, age=cython.uint)
    cdef int end(self, int slot, int keep, Graph graph) except -2
    @cython.locals(outlook=Outlook, hits=cython.uint[::1])
    cdef bint is_further(self, int slot, int other, unsigned int age) noexcept
