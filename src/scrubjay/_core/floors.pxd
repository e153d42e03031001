cimport cython

cdef class Floor:
    cdef readonly long long version
    cdef readonly long long used

cdef class SessionFloors:
    cdef readonly dict floors
    cdef public bytes epoch
    cdef public bint overflown
    cdef readonly long long number
    cdef public long long risen
    cdef long long turn
    cdef public unsigned int asker
    cdef public bint wanted
    @cython.locals(floor=Floor)
    cpdef object lift_floor(self, bytes place, long long version)
    cpdef object forget_floors(self, list places)
