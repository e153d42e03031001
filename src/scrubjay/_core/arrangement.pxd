cimport cython
from scrubjay._core.columns cimport Columns
from scrubjay._core.ghosts cimport Ghosts
from scrubjay._core.greedy_dual cimport GreedyDual
from scrubjay._core.links cimport Links
from scrubjay._core.outlook cimport Outlook
from scrubjay._core.sketch cimport Sketch

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
cdef double COSTS
cdef unsigned int SEEN
cdef double MOST_WORTH
cdef double UNPROVEN
cdef double RETURNED

cdef class Arrangement:
    cdef Columns columns
    cdef unsigned int[::1] hashes
    cdef readonly Links segments
    cdef Sketch sketch
    cdef Ghosts ghosts
    cdef bint remembers
    cdef GreedyDual values
    cdef double[::1] roots
    cdef int newest
    cdef int unswept
    cdef bint by_cost
    cdef bint by_size
    cdef bint reporting
    cdef Outlook outlook
    cdef unsigned short[::1] seen
    cdef readonly int count
    cdef int rule
    cdef readonly double usual_cost
    cdef readonly double aim
    cdef readonly double window_share
    cdef readonly double protected_share
    @cython.final
    cdef inline void remember(self, int slot) noexcept
    cdef int adopt(self, int way) except -1
    cdef int grow(self, int slots, unsigned int[::1] hashes) except -1
    @cython.final
    @cython.locals(entries=int)
    cdef inline int room(self, double share) noexcept
    @cython.final
    @cython.locals(hits=cython.uint, news=cython.uint, told=cython.uint)
    cdef inline unsigned int look(self, int slot) noexcept
    @cython.final
    cdef inline void enter(self, int slot, int segment) noexcept
    @cython.final
    @cython.locals(segment=int)
    cdef inline void leave(self, int slot) noexcept
    @cython.final
    @cython.locals(before=int)
    cdef inline void move(self, int slot, int segment) noexcept
    @cython.final
    cdef inline bint is_weighted(self) noexcept
    cdef int want_values(self) except -1
    @cython.final
    @cython.locals(worth=double)
    cdef double price(self, double priority, double cost, long long size) noexcept
    @cython.final
    cdef double worth(self, int slot) noexcept
    @cython.final
    @cython.locals(size=cython.longlong)
    cdef inline long long size(self, int slot) noexcept
    @cython.final
    @cython.locals(size=cython.longlong)
    cdef double density(self, int slot) noexcept
    @cython.final
    @cython.locals(value=double, root=double, hits=cython.uint)
    cdef double value(self, int slot) noexcept
    @cython.final
    cdef double prospects(self, unsigned int h) noexcept
    @cython.final
    @cython.locals(value=double, values=GreedyDual, slot=int)
    cdef bint declines(self, unsigned int h, double worth, long long size, long long lacking) noexcept
    @cython.final
    cdef inline bint prevails(self, int newcomer, int resident) noexcept
    @cython.final
    @cython.locals(h=cython.uint, segment=int, count=cython.uint)
    cdef void insert(self, int slot) noexcept
    @cython.final
    cdef inline void learn_cost(self, int slot) noexcept
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
    @cython.locals(worst=int, least=double, oldest=cython.uint, left=int, top=int, draw=int, slot=int, worth=double, age=cython.uint)
    cdef int least_worth(self) noexcept
    @cython.final
    @cython.locals(slot=int, segment=int, count=cython.uchar)
    cdef int victim_but(self, int keep) noexcept
    cdef void clear(self) noexcept
    @cython.locals(hits=cython.uint)
    cdef bint has_news(self, int slot) noexcept
    @cython.locals(segment=int, slot=int, news=int)
    cdef int rank(self, object found) except -1
    @cython.locals(slot=int)
    cdef int collect(self, int segment, int news, object found) except -1
