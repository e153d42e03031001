cimport cython

cdef Py_ssize_t WAYS
cdef Py_ssize_t HASHES
cdef Py_ssize_t COUNTS
cdef Py_ssize_t STRIDE
cdef Py_ssize_t SEGMENT_WORDS
cdef Py_ssize_t ENTRIES
cdef Py_ssize_t EVICTED
cdef int LENGTH_SHIFT
cdef unsigned long long LENGTH_BYTES
cdef object _number

cdef class Table:
    cdef object search
    cdef object hasher
    cdef unsigned long long buckets
    cdef unsigned long long at_table
    cdef unsigned long long[::1] words
    cdef unsigned char[::1] octets
    cdef Py_ssize_t live
    cdef unsigned long long segments
    cdef unsigned long long segment_units

    @cython.locals(hasher=object)
    cpdef unsigned long long hash(self, bytes key) except? 1
    cdef Py_ssize_t bucket(self, unsigned long long h) noexcept
    @cython.locals(bucket=cython.Py_ssize_t, first=cython.Py_ssize_t, at=cython.Py_ssize_t)
    cpdef Py_ssize_t find(self, unsigned long long h) except -2
    @cython.locals(slot=cython.Py_ssize_t, old=cython.ulonglong)
    cpdef int enter(self, unsigned long long h, unsigned long long word) except -1
    @cython.locals(old=cython.ulonglong)
    cpdef int move(self, Py_ssize_t slot, unsigned long long word) except -1
    @cython.locals(old=cython.ulonglong)
    cpdef bint remove(self, Py_ssize_t slot) except -1
    cpdef int evict(self, Py_ssize_t slot) except -1
    @cython.locals(count=int)
    cpdef int reads(self, Py_ssize_t slot, unsigned long long h) except -1
    @cython.locals(at=cython.Py_ssize_t)
    cpdef int halve_reads(self, Py_ssize_t slot, unsigned long long h) except -1
    @cython.locals(bucket=cython.Py_ssize_t)
    cdef Py_ssize_t reads_at(self, Py_ssize_t slot, unsigned long long h) noexcept
    @cython.locals(first=cython.Py_ssize_t, least=cython.Py_ssize_t, slot=cython.Py_ssize_t)
    cdef Py_ssize_t free_slot(self, unsigned long long h) except -1
    @cython.locals(live=cython.ulonglong)
    cdef int take(self, unsigned long long word) except -1
    @cython.locals(segment=cython.ulonglong, live=cython.ulonglong, freed=cython.ulonglong, held=cython.ulonglong)
    cdef int give(self, unsigned long long word) except -1
