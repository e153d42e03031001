cimport cython
from scrubjay._core.eviction cimport Eviction
from scrubjay._core.graph cimport Node

cdef int NONE
cdef int DEPENDENCY
cdef int TAG

cdef class Dependencies(Eviction):
    @cython.locals(paused=bint)
    cdef int remove_with_dependents(self, int slot, object node, long long nodes, int cause, object garbage, object flight, long long claims, long long stamp) except -1
    @cython.locals(paused=bint)
    cdef int remove_tagged(self, object tags, object garbage) except -1
    @cython.locals(node=Node, slots=list)
    cdef int remove_dependents(self, object roots, object garbage) except -1
    @cython.locals(node=Node, slot=int)
    cdef list nodes_of(self, object slots)
    cdef int bind(self, int slot, Node node, long long stamp) except -1
    cdef int link(self, Node node, object needs) except -1
    @cython.locals(paused=bint)
    cdef list dependents(self, Node node)
    @cython.locals(paused=bint)
    cdef list tagged_dependents(self, object tags)
