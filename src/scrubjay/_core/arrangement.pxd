cimport cython
from scrubjay._core.columns cimport Columns
from scrubjay._core.ghosts cimport Ghosts
from scrubjay._core.greedy_dual cimport GreedyDual
from scrubjay._core.links cimport Links
from scrubjay._core.outlook cimport Outlook
from scrubjay._core.sketch cimport Sketch
from scrubjay._core.weights cimport Weights

cdef int NONE
cdef int WINDOW
cdef int PROBATION
cdef int PROTECTED
cdef int PATIENCE
cdef int ALWAYS
cdef int FREQUENCY
cdef int GHOSTS
cdef int POPULAR
cdef int PROVEN
cdef int VALUED
cdef int QUEUES
cdef int CONVERTED
cdef int SWEPT
cdef unsigned int COUNT
cdef int PROSPECTS
cdef int LOOKS
cdef unsigned int SEEN
cdef double INFINITE
cdef double UNPROVEN
cdef double RETURNED

cdef class Arrangement:
    cdef Columns columns
    cdef readonly Weights weights
    cdef unsigned int[::1] hashes
    cdef readonly Links segments
    cdef Sketch sketch
    cdef Ghosts ghosts
    cdef bint remembers
    cdef GreedyDual values
    cdef double[::1] roots
    cdef int newest
    cdef int unswept
    cdef bint reporting
    cdef Outlook outlook
    cdef unsigned short[::1] seen
    cdef readonly int count
    cdef int rule
    cdef readonly double aim
    cdef readonly double window_share
    cdef readonly double protected_share
    @cython.final
    cdef inline void remember(self, int slot) noexcept
    cdef int adopt(self, int way) except -1
    cdef int attach(self, Columns columns) except -1
    cdef int grow(self, int slots, unsigned int[::1] hashes) except -1
    @cython.final
    @cython.locals(entries=int)
    cdef inline int room(self, double share) noexcept
    @cython.final
    @cython.locals(hits=cython.uint, news=cython.uint)
    cdef inline unsigned int look(self, int slot) noexcept
    @cython.final
    @cython.locals(read=bint)
    cdef inline bint was_read(self, int slot) noexcept
    @cython.final
    cdef inline void enter(self, int slot, int segment) noexcept
    @cython.final
    @cython.locals(segment=int)
    cdef inline void leave(self, int slot) noexcept
    @cython.final
    @cython.locals(before=int)
    cdef inline void move(self, int slot, int segment) noexcept
    cdef int want_values(self) except -1
    @cython.final
    @cython.locals(value=double, root=double, hits=cython.uint)
    cdef double value(self, int slot) noexcept
    @cython.final
    cdef double prospects(self, unsigned int h) noexcept
    @cython.final
    @cython.locals(value=double, values=GreedyDual, slot=int, least=double)
    cdef bint declines(self, unsigned int h, double worth, long long size, long long lacking) noexcept
    @cython.final
    cdef inline bint prevails(self, int newcomer, int resident) noexcept
    @cython.final
    @cython.locals(h=cython.uint, segment=int, count=cython.uint)
    cdef void insert(self, int slot) noexcept
    @cython.final
    cdef void remove(self, int slot) noexcept
    @cython.final
    @cython.locals(slot=int, turns=int, stays=bint)
    cdef inline int leaving_window(self) noexcept
    @cython.final
    @cython.locals(slot=int, turns=int, most=int)
    cdef void shrink_protected(self) noexcept
    @cython.final
    @cython.locals(slot=int, turns=int, least=int, fewest=cython.uint, news=cython.uint)
    cdef inline int leaving_main(self) noexcept
    @cython.final
    cdef void put_first(self, int slot) noexcept
    @cython.final
    cdef inline void shift(self) noexcept
    @cython.final
    @cython.locals(slot=int, segment=int)
    cdef void convert(self) noexcept
    @cython.final
    @cython.locals(slot=int, least=int)
    cdef int leaving_values(self) noexcept
    @cython.final
    @cython.locals(newcomer=int, resident=int, leaving=int, valued=bint)
    cdef int victim(self) noexcept
    @cython.final
    @cython.locals(worst=int, least=double, oldest=cython.uint, left=int, top=int, draw=int, slot=int, worth=double, age=cython.uint, weighted=bint)
    cdef int least_worth(self) noexcept
    @cython.final
    @cython.locals(slot=int, segment=int, count=cython.uchar)
    cdef int victim_but(self, int keep) noexcept
    cdef void clear(self) noexcept
