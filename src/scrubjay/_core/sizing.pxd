cimport cython

cdef int BUDGET
cdef int SAMPLE
cdef int DEPTH

cdef class _Walk:
    cdef int budget
    cdef set seen
    @cython.locals(kind=object, total=double, inner=double, taken=int, length=cython.Py_ssize_t, stride=cython.Py_ssize_t, position=cython.Py_ssize_t)
    cdef double measure(self, object value, int depth) except -1.0
    @cython.locals(taken=int, inner=double)
    cdef double sampled(self, object items, Py_ssize_t length, int depth) except -1.0
    @cython.locals(total=double)
    cdef double attributes(self, object value, int depth) except -1.0

cdef class Sizing:
    cpdef long long size(self, object value) except -1
