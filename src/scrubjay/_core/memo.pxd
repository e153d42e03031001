from scrubjay._core.store cimport Store

cdef object MISSING

cdef class Tally:
    cdef public long long hits
    cdef public long long misses
