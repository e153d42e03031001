cdef class Link:
    cdef public bytes epoch
    cdef public double confirmed

cdef class Watch:
    cdef readonly Link feed
    cdef public bint live
    cdef list wakes
    cdef object __weakref__
