cimport cython
from scrubjay._core.links cimport Links
from scrubjay._core.prospects cimport Prospects, scrubjay_bin
from scrubjay._core.tag_returns cimport TagReturns

cdef int NONE
cdef int BINS
cdef int DEPTH
cdef int MANY
cdef int LEAST
cdef int LOOKS
cdef int SOON
cdef int OFTEN
cdef double MEMORY
cdef double FEWEST
cdef double INFINITE
cdef unsigned char FOLLOWED
cdef unsigned char SHARED
cdef unsigned char GAP
cdef unsigned char COLD
cdef double FADING

cdef class Histories:
    cdef Prospects prospects
    cdef int rows
    cdef int used
    cdef unsigned int mask
    cdef unsigned int[::1] hashes
    cdef int[::1] first
    cdef int[::1] after
    cdef unsigned int[::1] since
    cdef unsigned char[::1] counts
    cdef unsigned char[::1] marks
    cdef bint social
    cdef unsigned int[::1] sessions
    cdef readonly TagReturns tags
    cdef short[::1] tag_rows
    cdef Links order
    cdef int[::1] place
    cdef int[::1] kept
    cdef readonly int count
    cdef bint weighted
    cdef double[::1] density
    cdef long long[::1] sizes
    cdef long long bytes
    cdef unsigned int draws
    cdef double requests
    cdef double misses
    cdef int asked
    cdef int wait
    @cython.locals(
        rows=int,
        length=int,
        hashes=cython.uint[::1],
        first=cython.int[::1],
        after=cython.int[::1],
        since=cython.uint[::1],
        counts=cython.uchar[::1],
        marks=cython.uchar[::1],
        sessions=cython.uint[::1],
        tag_rows=cython.short[::1],
        order=Links,
        place=cython.int[::1],
        kept=cython.int[::1],
        density=cython.double[::1],
        sizes=cython.longlong[::1],
    )
    cdef int grow(self, int entries, bint weighted) except -1
    @cython.locals(line=int)
    cdef void clear(self) noexcept
    @cython.final
    @cython.locals(row=int)
    cdef inline int find(self, unsigned int h) noexcept
    @cython.final
    @cython.locals(row=int, gap=cython.uchar)
    cdef bint request(self, unsigned int h, unsigned char count, int room, long long most, double worth, long long size) noexcept
    @cython.locals(row=int)
    cdef void adopt(self, unsigned int h, unsigned int since, unsigned char count, unsigned char marks, unsigned int session, int room, long long most, double worth, long long size) noexcept
    @cython.final
    cdef inline void keep(self, int row, double worth, long long size) noexcept
    @cython.locals(sessions=cython.uint[::1])
    cdef int heed_sessions(self) except -1
    @cython.final
    @cython.locals(row=int)
    cdef void ascribe(self, unsigned int h, unsigned int session) noexcept
    @cython.final
    @cython.locals(row=int)
    cdef void follow(self, unsigned int h) noexcept
    @cython.locals(tags=TagReturns, tag_rows=cython.short[::1])
    cdef int heed_tags(self) except -1
    @cython.final
    @cython.locals(row=int)
    cdef void tag(self, unsigned int h, int tag, unsigned char mark) noexcept
    @cython.final
    @cython.locals(row=int, line=cython.uint)
    cdef inline int watch(self, unsigned int h) noexcept
    @cython.final
    @cython.locals(line=cython.uint, before=int)
    cdef inline void forget(self, int row) noexcept
    @cython.final
    @cython.locals(last=int)
    cdef inline void leave(self, int row) noexcept
    @cython.final
    @cython.locals(worst=int, least=double, oldest=cython.uint, count=int, looks=int, look=int, at=int, wide=cython.ulonglong, row=int, worth=double, age=cython.uint, clock=cython.uint, draws=cython.uint, kind=int)
    cdef inline int worst(self) noexcept
    @cython.locals(row=int, memory=double)
    cdef void learn(self, int room) noexcept
