cimport cython
from scrubjay._core.prospects cimport Prospects

cdef class Outlook:
    cdef Prospects prospects
    cdef unsigned int[::1] since
    cdef unsigned char[::1] counts
    cdef unsigned char[::1] gaps
    cdef readonly int top
    cdef unsigned int draws
    cdef int grow(self, int slots) except -1
    @cython.final
    cdef inline void enter(self, int slot, unsigned int count) noexcept
    @cython.final
    @cython.locals(count=cython.uint)
    cdef inline void read(self, int slot, unsigned int hits) noexcept
    @cython.final
    cdef inline void leave(self, int slot) noexcept
    @cython.locals(slot=int)
    cdef void clear(self) noexcept
    @cython.final
    @cython.locals(wide=cython.ulonglong)
    cdef inline int draw(self) noexcept
    @cython.final
    cdef inline unsigned int age(self, int slot) noexcept
    @cython.final
    @cython.locals(cell=int)
    cdef inline double worth(self, int slot, int marks) noexcept
