cimport cython
from scrubjay._core.columns cimport Columns
from scrubjay._core.graph cimport Graph

cdef class Policy:
    cdef Columns columns
    cdef unsigned int[::1] hashes
    cdef bint eager
    cdef bint social
    cdef int attach(self, Columns columns) except -1
    cdef int grow(self, int slots, unsigned int[::1] hashes) except -1
    cdef int heed(self) except -1
    cdef void bound(self, long long entries, long long size) noexcept
    cdef bint declines(self, unsigned int h, long long size, double priority, double cost, long long lacking) noexcept
    cdef void expect(self, unsigned int h) noexcept
    cdef void insert(self, int slot) noexcept
    cdef void restore(self, int slot, int uses) noexcept
    cdef void hit(self, int slot) noexcept
    cdef int heed_sessions(self) except -1
    cdef void asked(self, int slot, unsigned int session) noexcept
    cdef int heed_tags(self) except -1
    cdef int tagged(self, int slot, frozenset tags) except -1
    cdef void replaced(self, int slot) noexcept
    cdef void remove(self, int slot) noexcept
    cdef int victim(self) noexcept
    @cython.locals(slot=int)
    cdef int victim_but(self, int keep) noexcept
    cdef int end_of_chain(self, int slot, int keep, Graph graph) except -2
    cdef bint rank(self, object found) except -1
    cdef void clear(self) noexcept
    cdef int reconsider(self) except -1
    cdef int settle(self) except -1
    cdef int prepare(self) except -1
    cdef object gather(self, bint go_on)
    cpdef dict describe(self)
