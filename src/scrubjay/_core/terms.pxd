cdef class Terms:
    cdef readonly double ttl
    cdef readonly double idle
    cdef readonly double priority
    cdef readonly double cost
    cdef readonly double until
    cdef readonly bint plain
    cdef readonly bint absent
    cdef readonly frozenset tags
    cdef readonly tuple dependencies
    cdef readonly object fence
    cdef public bint ahead
    cdef public int uses
