cdef frozenset NO_TAGS

cdef class Labels:
    cdef dict tags
    cdef dict slots
    cdef void attach(self, int slot, frozenset tags)
    cdef void detach(self, int slot)
    cdef set carriers(self, object tags)
    cdef frozenset of(self, int slot)
