cimport cython

cdef int NONE

cdef class Links:
    cdef int[::1] link
    cdef int[::1] head
    cdef int[::1] tail
    cdef int[::1] length
    cdef readonly int slots
    cdef readonly int lists
    cdef int grow(self, int slots) except -1
    cdef int add_list(self) except -1
    @cython.final
    @cython.locals(last=int)
    cdef inline void append(self, int line, int slot) noexcept
    @cython.locals(first=int)
    cdef void prepend(self, int line, int slot) noexcept
    @cython.locals(slot=int)
    cdef int collect(self, int line, object found) except -1
    @cython.final
    @cython.locals(before=int, after=int)
    cdef inline void unlink(self, int line, int slot) noexcept
    cdef void move(self, int line, int other, int slot) noexcept
    @cython.locals(line=int)
    cdef void clear(self) noexcept
