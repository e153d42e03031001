cimport cython
from scrubjay._core.columns cimport Columns

cdef int NONE
cdef unsigned int ROWS
cdef unsigned int FOLLOWED
cdef unsigned int SHARED
cdef unsigned int SOCIAL

cdef class Sessions:
    cdef unsigned int[::1] numbers
    cdef int[::1] last
    cdef int begin(self) except -1
    @cython.locals(row=int)
    cdef void forget(self) noexcept
    @cython.locals(row=cython.uint, before=int, known=cython.uint, marks=cython.uint)
    cdef int asked(self, Columns columns, int slot, unsigned int session) noexcept
