cimport cython

cdef int NONE
cdef object EMPTY

cdef class Table:
    cdef unsigned int[::1] index
    cdef unsigned int[::1] hashes
    cdef list cells
    cdef unsigned int mask
    cdef unsigned int low
    cdef unsigned int high
    cdef int free
    cdef readonly int slots
    cdef readonly int used
    cdef readonly int count
    cdef readonly long long stamp

    @cython.final
    @cython.locals(code=Py_hash_t)
    cdef inline unsigned int spread(self, object key) except? 0x7FFFFFFE
    @cython.final
    @cython.locals(position=cython.uint, entry=cython.uint, slot=int, a=str, b=str)
    cdef inline int probe(self, object key, unsigned int h, int after) noexcept
    @cython.final
    @cython.locals(slot=int)
    cdef inline int find(self, object key, unsigned int h) except -3
    @cython.locals(slot=int, candidate=int, stamp=cython.longlong, equal=cython.bint, cells=list, found=object)
    cdef int compare(self, object key, unsigned int h) except -3
    cdef int locate(self, object key) except -3
    @cython.locals(cells=list)
    cdef object cell(self, int line)
    @cython.locals(cells=list, hashes=cython.uint[::1], index=cython.uint[::1], length=int)
    cdef object reset_table(self, int slots)
    @cython.locals(hashes=cython.uint[::1], index=cython.uint[::1], length=int, line=int)
    cdef int enlarge(self, int slots) except -1
    @cython.locals(slot=int, position=cython.uint)
    cdef void build_index(self) noexcept
    @cython.locals(slot=int, position=cython.uint)
    cdef int add(self, object key, unsigned int h, object value) noexcept
    @cython.locals(position=cython.uint, hole=cython.uint, entry=cython.uint, home=cython.uint, own=cython.uint)
    cdef void drop(self, int slot) noexcept
