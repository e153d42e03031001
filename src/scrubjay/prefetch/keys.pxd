cimport cython

cdef int NONE
cdef unsigned int FLYING
cdef unsigned int SEEN
cdef unsigned int UNUSED
cdef int FIRST_SLOTS
cdef int ROUNDS
cdef double GAPS

cdef class Keys:
    cdef readonly int most
    cdef readonly int slots
    cdef readonly int used
    cdef int hand
    cdef unsigned int mask
    cdef readonly long long now
    cdef int[::1] index
    cdef unsigned long long[::1] hashes
    cdef unsigned int[::1] state
    cdef unsigned char[::1] age
    cdef unsigned int[::1] left
    cdef unsigned int[::1] asked
    cdef float[::1] gap
    cdef readonly list objects
    @cython.locals(length=int, slot=int)
    cdef int grow(self, int slots) except -1
    @cython.locals(h=cython.longlong, wide=cython.ulonglong)
    cdef unsigned long long spread(self, object key) except? 1
    @cython.final
    @cython.locals(place=cython.uint, slot=int)
    cdef int find(self, unsigned long long wide) noexcept
    @cython.final
    @cython.locals(place=cython.uint)
    cdef void enter(self, int slot) noexcept
    @cython.final
    @cython.locals(place=cython.uint, hole=cython.uint, home=cython.uint, other=int)
    cdef void withdraw(self, int slot) noexcept
    @cython.final
    cdef bint is_full(self) noexcept
    @cython.final
    @cython.locals(slot=int, state=cython.uint, _=int)
    cdef int oldest(self) noexcept
    cdef int take(self, int slot, unsigned long long wide, object key) except -1
    @cython.final
    @cython.locals(gap=double)
    cdef inline void ask(self, int slot) noexcept
    @cython.final
    @cython.locals(gap=double)
    cdef inline double chance(self, int slot, double wait) noexcept
    @cython.final
    cdef inline unsigned long long mark(self, int slot) noexcept
    @cython.final
    @cython.locals(slot=int)
    cdef inline int valid(self, unsigned long long mark) noexcept
    @cython.locals(length=int, slot=int, wide=cython.ulonglong)
    cpdef int adopt(self, list keys, list known, object ages) except -1
