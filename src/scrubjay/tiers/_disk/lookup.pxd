cimport cython

cdef Py_ssize_t WAYS
cdef Py_ssize_t HASHES
cdef Py_ssize_t COUNTS
cdef Py_ssize_t STRIDE
cdef Py_ssize_t RECORD_BYTES
cdef Py_ssize_t RETIRED
cdef Py_ssize_t LARGE
cdef int MOST_READS
cdef double NEVER
cdef object _unpack
cdef object _crc32
cdef object _pread
cdef object _number

cdef class Lookup:
    cdef object files
    cdef unsigned long long[::1] words
    cdef unsigned char[::1] octets
    cdef object find
    cdef object hasher
    cdef object data
    cdef unsigned long long buckets
    cdef unsigned long long at_table
    cdef object now
    @cython.locals(number=cython.ulonglong, bucket=cython.ulonglong, first=cython.Py_ssize_t, at=cython.Py_ssize_t, slot=cython.Py_ssize_t, word=cython.ulonglong, length=cython.Py_ssize_t, offset=cython.ulonglong, after_key=cython.Py_ssize_t, record=bytes, value=bytes, head=bytes, check=cython.uint, checksum=cython.uint, key_bytes=cython.Py_ssize_t, value_bytes=cython.Py_ssize_t, value_checksum=cython.uint, expires_at=double, count=cython.Py_ssize_t, reads=int, values=list)
    cpdef list read_many(self, keys, again)
