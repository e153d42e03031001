cimport cython
from scrubjay._core.evidence cimport Evidence
from scrubjay._core.floors cimport SessionFloors
from scrubjay._core.reading cimport Reading
from scrubjay._core.streams cimport here
from scrubjay._core.watches cimport Link

cdef int NONE
cdef int HIT
cdef int FIRST_HIT
cdef int STORED
cdef int AGAIN
cdef int FENCED
cdef double CERTAIN
cdef long long SAMPLING
cdef object MISSING
cdef object EXPIRED_VALUE
cdef object MOVED_ON
cdef object BY_SESSION
cdef object MONOTONICALLY
cdef object UNASKED
cdef dict BY_NAME

cdef class SessionHits(Reading):
    cdef list evidence
    cdef double silence
    cdef public dict sessions
    cdef public int demanded
    @cython.final
    @cython.locals(session=SessionFloors, demanded=int, given=dict)
    cdef object fetch_by_session(self, object key, object context, object level)
    cpdef object fetch_at_once(self, object key, object context, object level)
    cpdef object fetch_permitted(self, object key, SessionFloors session, bint monotonic)
    cdef object fetch_for(self, object key, SessionFloors session, int demanded)
    cpdef object fetch_confirmed(self, object key, SessionFloors session, Link feed)
    @cython.final
    @cython.locals(slot=int, stamp=cython.longlong, proven=cython.longlong, status=int, now=double, outcome=int, asker=cython.uint, due=cython.bint)
    cdef object fetch_vouched(self, object key, SessionFloors session, int demanded, Link feed)
    @cython.locals(slot=int, stamp=cython.longlong)
    cpdef object confirmer(self, object key, SessionFloors session)
    @cython.final
    @cython.locals(slot=int, stamp=cython.longlong)
    cdef object attest_key(self, object key, Evidence evidence)
    @cython.locals(evidence=Evidence, paused=bint)
    cdef object attest(self, int slot, Evidence evidence, long long stamp)
    @cython.final
    @cython.locals(evidence=Evidence)
    cdef inline bint permitted(self, int slot, SessionFloors session, int demanded, double now, Link feed) except -1
    cdef int judge(self, int slot, SessionFloors session, int demanded, double now, Link feed, long long stamp) except -5
    @cython.locals(evidence=Evidence, feed=Link)
    cdef Link confirmer_at(self, int slot, SessionFloors session, long long stamp)
