cimport cython
from scrubjay._core.table cimport Table

cdef int NONE
cdef object EMPTY
cdef object _AGAIN

cdef class Claims(Table):
    cdef int widen(self) except -1
    @cython.locals(slot=int)
    cdef object settle(self, object key, unsigned int h, object value, long long stamp)
    @cython.locals(slot=int)
    cdef int withdraw(self, int slot, object value, long long stamp) except -1
