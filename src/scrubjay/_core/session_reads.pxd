from scrubjay._core.floors cimport SessionFloors
from scrubjay._core.store cimport Store

cdef object MISSING

cdef class SessionReads:
    cdef Store store
    cdef SessionFloors floors
    cdef int demanded
    cpdef object get_at_once(self, object key)
