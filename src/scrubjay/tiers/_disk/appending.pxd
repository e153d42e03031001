cimport cython

from scrubjay.tiers._disk.table cimport Table

cdef Py_ssize_t UNIT
cdef int UNIT_BITS
cdef Py_ssize_t RECORD_BYTES
cdef Py_ssize_t HEAD
cdef Py_ssize_t PUTS
cdef Py_ssize_t CLEANING
cdef Py_ssize_t DEBT
cdef Py_ssize_t AT_ROWS
cdef Py_ssize_t SEGMENT_WORDS
cdef unsigned long long CHECK_MASK
cdef unsigned long long TAIL_MASK
cdef unsigned long long MOST_PUTS
cdef unsigned long long MIX
cdef unsigned long long LARGEST
cdef double NEVER
cdef bytes _PADDING
cdef object _pack
cdef object _crc32

cdef class Appender:
    cdef object files
    cdef object data
    cdef unsigned long long[::1] words
    cdef unsigned long long segment_bytes
    cdef Table table
    cdef object now
    cdef readonly unsigned long long largest

    @cython.locals(begin=cython.ulonglong, h=cython.ulonglong, key=bytes, value=bytes, slot=cython.Py_ssize_t, taken=cython.ulonglong, units=cython.ulonglong, length=cython.ulonglong, at=cython.ulonglong, serial=cython.ulonglong, check=cython.ulonglong, rest=bytes, head=bytes, parts=list, entries=list, kept=list, expires_at=double)
    cpdef list append(self, items, roll)
    @cython.locals(h=cython.ulonglong, word=cython.ulonglong)
    cdef int flush(self, list parts, unsigned long long at, list entries) except -1
    @cython.locals(length=cython.Py_ssize_t, part=bytes)
    cpdef int write(self, parts, unsigned long long at) except -1
    @cython.locals(head=cython.ulonglong, active=cython.ulonglong, puts=cython.ulonglong, serial=cython.ulonglong, at=cython.ulonglong)
    cpdef tuple reserve(self, unsigned long long length)
