from scrubjay._core.session_hits cimport SessionHits
from scrubjay._core.terms cimport Terms

cdef int INVALIDATED
cdef int STORED
cdef int PRESENT
cdef object MISSING
cdef object MISSING_PAIR
cdef Terms IF_ABSENT

cdef class Store(SessionHits):
    pass
