cimport cython
from scrubjay._core.columns cimport Columns
from scrubjay._core.dependencies cimport Dependencies
from scrubjay._core.evidence cimport Evidence
from scrubjay._core.floors cimport SessionFloors
from scrubjay._core.graph cimport Node
from scrubjay._core.terms cimport Terms
from scrubjay._core.watches cimport Link

cdef unsigned int COUNT
cdef int NONE
cdef double NEVER
cdef double CERTAIN
cdef object EXPIRED_VALUE
cdef object MOVED_ON
cdef int STORED
cdef int AGAIN
cdef int FENCED
cdef int FIRST_HIT
cdef int NEW_NODES
cdef int EXPIRED_SLOT

cdef class Steps(Dependencies):
    cdef list evidence
    cdef double silence
    @cython.locals(evidence=Evidence, paused=bint)
    cdef object attest(self, int slot, Evidence evidence, long long stamp)
    @cython.final
    @cython.locals(evidence=Evidence)
    cdef inline bint permitted(self, int slot, SessionFloors session, int demanded, double now, Link feed) except -1
    @cython.locals(evidence=Evidence, feed=Link)
    cdef Link confirmer_at(self, int slot, SessionFloors session, long long stamp)
    cdef int judge(self, int slot, SessionFloors session, int demanded, double now, Link feed, long long stamp) except -5
    @cython.locals(columns=Columns, hits=cython.uint)
    cdef object read(self, int slot, long long stamp, double now)
    cdef void prove(self, int slot) except *
    @cython.final
    @cython.locals(paused=bint)
    cdef inline void tell_tags(self, int slot) except *
    @cython.locals(columns=Columns, fresh=bint, held=bint, live=bint, paused=bint)
    cdef int commit(self, int slot, object key, unsigned int h, object value, long long size, Terms terms, Node node, object needs, long long nodes, double now, object garbage, object flight, long long claims, long long stamp) except -5
    @cython.locals(columns=Columns, hard=double, deadline=double)
    cdef void set_deadline(self, int slot, double ttl, double idle, double until, double now) noexcept
    cdef int note_session(self, int slot, unsigned int session, long long stamp) except -1
    @cython.locals(columns=Columns, hard=double)
    cdef int renew(self, int slot, double ttl, double idle, double until, double now, long long stamp) except -5
