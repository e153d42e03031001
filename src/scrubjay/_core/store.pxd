cimport cython
from scrubjay._core.ahead cimport Ahead
from scrubjay._core.evidence cimport Evidence
from scrubjay._core.floors cimport SessionFloors
from scrubjay._core.streams cimport here
from scrubjay._core.terms cimport Terms
from scrubjay._core.watches cimport Link

cdef int NONE
cdef unsigned int COUNT
cdef int INVALIDATED
cdef int HIT
cdef int MISS
cdef int FIRST_HIT
cdef int AGAIN
cdef int FENCED
cdef object BY_SESSION
cdef object MONOTONICALLY
cdef object UNASKED
cdef dict BY_NAME
cdef object MISSING
cdef object MISSING_PAIR
cdef object EXPIRED_VALUE
cdef object MOVED_ON
cdef int STORED
cdef int PRESENT
cdef long long SAMPLING
cdef Terms PLAIN
cdef Terms IF_ABSENT

cdef class Store(Ahead):
    cdef readonly long long misses
    cdef readonly object latency
    cdef public bint layered
    cdef public bint strict
    cdef public dict sessions
    cdef public int demanded
    cdef public object checker
    cpdef object request_untimed(self, object key)
    @cython.final
    @cython.locals(session=SessionFloors, demanded=int, given=dict)
    cdef object fetch_by_session(self, object key, object context, object level)
    @cython.final
    @cython.locals(slot=int, stamp=cython.longlong, proven=cython.longlong, status=int, now=double, outcome=int, asker=cython.uint, due=cython.bint)
    cdef object fetch_vouched(self, object key, SessionFloors session, int demanded, Link feed)
    cdef object fetch_for(self, object key, SessionFloors session, int demanded)
    cpdef object fetch_permitted(self, object key, SessionFloors session, bint monotonic)
    cpdef object fetch_confirmed(self, object key, SessionFloors session, Link feed)
    @cython.locals(slot=int, stamp=cython.longlong)
    cpdef object confirmer(self, object key, SessionFloors session)
    cpdef object fetch_at_once(self, object key, object context, object level)
    @cython.final
    @cython.locals(slot=int, stamp=cython.longlong)
    cdef object attest_key(self, object key, Evidence evidence)
    @cython.final
    @cython.locals(hits=cython.uint)
    cdef inline object count_hit(self, int slot)
    @cython.final
    @cython.locals(slot=int, stamp=cython.longlong)
    cdef inline object lookup(self, object key, object default)
    @cython.final
    cdef inline object fetch(self, object key, object default)
    @cython.final
    cdef object fetch_layered(self, object key, object default)
    @cython.locals(slot=int, stamp=cython.longlong)
    cpdef object ascribe(self, object key, unsigned int session)
    @cython.locals(timed=cython.bint, start=double, end=double)
    cdef object fetch_watched(self, object key, object default, object session, unsigned int asker)
    @cython.final
    @cython.locals(proven=cython.longlong, outcome=int, due=cython.bint)
    cdef object fetch_noted(self, object key, object default, unsigned int asker)

