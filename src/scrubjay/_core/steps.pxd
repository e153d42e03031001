cimport cython
from scrubjay._core.columns cimport Columns
from scrubjay._core.dependencies cimport Dependencies
from scrubjay._core.graph cimport Node
from scrubjay._core.terms cimport Terms

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
    @cython.locals(columns=Columns, hits=cython.uint)
    cdef object read(self, int slot, long long stamp, double now)
    cdef int prove(self, int slot) except -1
    @cython.final
    @cython.locals(paused=bint)
    cdef inline int tell_tags(self, int slot) except -1
    cdef int note_session(self, int slot, unsigned int session, long long stamp) except -1
    @cython.locals(columns=Columns, hard=double)
    cdef int renew(self, int slot, double ttl, double idle, double until, double now, long long stamp) except -5
    @cython.locals(columns=Columns, hard=double, deadline=double)
    cdef void set_deadline(self, int slot, double ttl, double idle, double until, double now) noexcept
    @cython.locals(columns=Columns, fresh=bint, held=bint, live=bint, paused=bint)
    cdef int commit(self, int slot, object key, unsigned int h, object value, long long size, Terms terms, Node node, object needs, long long nodes, double now, object garbage, object flight, long long claims, long long stamp) except -5
