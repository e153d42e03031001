cimport cython
from scrubjay._core.floors cimport Floor, SessionFloors
from scrubjay._core.watches cimport Link, Watch

cdef class Generation:
    cdef readonly long long value
    cdef readonly Watch watch
    @cython.locals(before=Watch)
    cpdef object learn(self, long long value, Watch watch)

cdef class Bond:
    cdef Generation generation
    cdef long long value
    cdef bytes place
    cdef Floor floor

cdef class Evidence:
    cdef readonly long long version
    cdef bytes place
    cdef Watch watch
    cdef list bonds
    cdef public bint current
    cdef long long write
    cdef long long session
    cdef long long risen
    cdef bytes epoch
    cdef bint exact
    cdef Floor floor
    @cython.final
    @cython.locals(bond=Bond, watch=Watch)
    cdef bint permits(self, SessionFloors session, bint monotonic, double now, double silence) except -1
    @cython.final
    @cython.locals(bond=Bond, watch=Watch)
    cdef bint confirms(self, SessionFloors session, Link feed) except -1
    @cython.final
    @cython.locals(bond=Bond, known=cython.bint)
    cdef inline bint allowed(self, SessionFloors session, bint monotonic) except -1
    @cython.final
    @cython.locals(bond=Bond, floor=Floor, other=Floor, epoch=bytes, risen=cython.longlong, exact=bint)
    cdef bint compare(self, SessionFloors session) except -1
