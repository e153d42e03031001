cdef frozenset NO_TAGS

cdef class Labels:
    cdef dict tags
    cdef dict slots
    cdef int attach(self, int slot, frozenset tags) except -1
    cdef int detach(self, int slot) except -1
    cdef set carriers(self, object tags)
    cdef frozenset of(self, int slot)
