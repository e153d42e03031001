cimport cython
from scrubjay._core.ahead cimport Ahead
from scrubjay._core.streams cimport here

cdef int NONE
cdef unsigned int COUNT
cdef int HIT
cdef int MISS
cdef int FIRST_HIT
cdef object MISSING
cdef object EXPIRED_VALUE
cdef object MOVED_ON
cdef long long SAMPLING

cdef class Reading(Ahead):
    cdef readonly long long misses
    cdef readonly object latency
    cdef public bint layered
    cdef public bint strict
    cdef public object checker
    @cython.final
    cdef inline object fetch(self, object key, object default)
    @cython.final
    @cython.locals(slot=int, stamp=cython.longlong)
    cdef inline object lookup(self, object key, object default)
    @cython.final
    @cython.locals(hits=cython.uint)
    cdef inline object count_hit(self, int slot)
    @cython.locals(timed=cython.bint, start=double, end=double)
    cdef object fetch_watched(self, object key, object default, object session, unsigned int asker)
    @cython.final
    @cython.locals(proven=cython.longlong, outcome=int, due=cython.bint)
    cdef object fetch_noted(self, object key, object default, unsigned int asker)
    cpdef object request_untimed(self, object key)
    @cython.final
    cdef object fetch_layered(self, object key, object default)
    @cython.locals(slot=int, stamp=cython.longlong)
    cpdef object ascribe(self, object key, unsigned int session)
