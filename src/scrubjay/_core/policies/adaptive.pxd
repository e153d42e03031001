cimport cython
from scrubjay._core.arrangement cimport Arrangement
from scrubjay._core.chains cimport Chains
from scrubjay._core.curve cimport Curve
from scrubjay._core.graph cimport Graph
from scrubjay._core.policy cimport Policy
from scrubjay._core.ranking cimport Ranking
from scrubjay._core.sessions cimport Sessions
from scrubjay._core.sketch cimport Sketch
from scrubjay._core.tag_returns cimport TagReturns
from scrubjay._core.trials cimport Trials

cdef int WINDOW
cdef int PROBATION
cdef int PROTECTED
cdef int FIRST
cdef unsigned char COLD
cdef unsigned int COUNT
cdef unsigned int HEARD
cdef long long MOST
cdef int NONE

cdef class Adaptive(Policy):
    cdef Sketch sketch
    cdef readonly Arrangement live
    cdef readonly Trials trials
    cdef Sessions sessions
    cdef Chains chains
    cdef int way
    cdef readonly int entries
    cdef readonly long long entry_limit
    cdef readonly long long byte_limit
    cdef int prepare_trials(self) except -1
    cdef Curve curve
    @cython.locals(slot=int)
    cdef void begin(self) noexcept
    @cython.final
    cdef inline void mark(self, int slot) noexcept
    @cython.final
    @cython.locals(line=int, note=int)
    cdef inline void listen(self) noexcept
    @cython.final
    @cython.locals(h=cython.uint, session=cython.uint)
    cdef void pass_on(self, int slot, bint asked) noexcept
    @cython.locals(worth=double)
    cdef bint declines(self, unsigned int h, long long size, double priority, double cost, long long lacking) noexcept
    @cython.final
    cdef inline void request(self, int slot, int missed) noexcept
    @cython.final
    @cython.locals(expected=int)
    cdef void ask(self, unsigned int h, double worth, long long size, int missed) noexcept
    @cython.locals(before=int)
    cdef void asked(self, int slot, unsigned int session) noexcept
    @cython.locals(returns=TagReturns, row=int, mark=cython.uchar)
    cdef int tagged(self, int slot, frozenset tags) except -1
    cdef void expect(self, unsigned int h) noexcept
    cdef bint has_evidence(self) noexcept
    @cython.final
    cdef inline void follow(self) noexcept
    @cython.locals(shift=int)
    cdef inline void fit(self, int entries) noexcept
    @cython.locals(curve=Curve)
    cdef object gather(self, bint go_on)
