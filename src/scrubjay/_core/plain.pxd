cimport cython

cdef int _DEPTH

cpdef bint is_plain(object value, bint named) except -1

@cython.locals(kind=object, inner=object, mapping=dict, sequence=list)
cdef bint _walk(object value, bint named, int depth) except -1

cdef bint _is_leaf(object kind) except -1
