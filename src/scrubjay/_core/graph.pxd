from scrubjay._core.claims cimport Claims

cimport cython

cdef int NONE

cdef class Node:
    cdef readonly object key
    cdef readonly int slot
    cdef public bint stored
    cdef readonly bint gone
    cdef public object flight
    cdef readonly int pins
    cdef readonly set needs
    cdef readonly set dependents

cdef class Graph:
    cdef readonly Claims nodes
    cdef dict of_slot
    cdef list idle
    cdef int hold(self, Node node) except -1
    @cython.locals(node=Node)
    cdef int let_go(self, list nodes) except -1
    @cython.locals(node=Node, need=Node, dependent=Node)
    cdef list useless(self)
    @cython.locals(other=Node, top=Node)
    cdef bint serves(self, Node node) except -1
    cdef int bind(self, int slot, Node node) except -1
    @cython.locals(gone=Node, need=Node)
    cdef int set_needs(self, Node node, object needs) except -1
    @cython.locals(node=Node)
    cdef int leave(self, int slot) except -1
    cdef Node node_of(self, int slot)
    @cython.locals(node=Node)
    cdef bint is_needed(self, int slot) except -1
    @cython.locals(node=Node, top=Node)
    cpdef list closure(self, object roots)
    @cython.locals(node=Node)
    cdef int clear(self) except -1
