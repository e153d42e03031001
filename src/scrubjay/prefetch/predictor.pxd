from scrubjay.prefetch.scene cimport Scene

cdef class Predictor:
    cdef public int base
    cpdef int grow(self, int slots) except -1
    cpdef int forget(self, int slot) except -1
    cpdef int learn(self, Scene scene) except -1
    cpdef int propose(self, Scene scene) except -1
