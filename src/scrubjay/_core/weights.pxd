cimport cython
from scrubjay._core.columns cimport Columns

cdef double COSTS
cdef double MOST_WORTH

cdef class Weights:
    cdef Columns columns
    cdef readonly bint by_cost
    cdef readonly bint by_size
    cdef readonly double usual_cost
    @cython.final
    cdef bint differ(self) noexcept
    @cython.final
    @cython.locals(worth=double)
    cdef inline double price(self, double priority, double cost, long long size) noexcept
    @cython.final
    cdef inline double worth(self, int slot) noexcept
    @cython.final
    @cython.locals(size=cython.longlong)
    cdef inline long long size(self, int slot) noexcept
    @cython.final
    @cython.locals(size=cython.longlong)
    cdef double density(self, int slot) noexcept
    @cython.final
    cdef void learn_cost(self, int slot) noexcept
