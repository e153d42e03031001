cimport cython
from scrubjay.prefetch.calibration cimport Calibration
from scrubjay.prefetch.keys cimport Keys

cdef int NONE
cdef unsigned int AWAITED
cdef unsigned int OVERDUE
cdef long long RING

cdef class Awaited:
    cdef Keys keys
    cdef Calibration calibration
    cdef unsigned short[::1] kind
    cdef unsigned int[::1] since
    cdef unsigned short[::1] first_kind
    cdef unsigned int[::1] first_since
    cdef unsigned long long[::1] ring
    cdef long long first
    cdef long long last
    cdef double lag
    cdef int grow(self, int slots) except -1
    @cython.final
    cdef inline bint is_full(self) noexcept
    @cython.final
    @cython.locals(keys=Keys, began=cython.uint, state=cython.uint)
    cdef inline void remember(self, int slot, int kind) noexcept
    @cython.final
    cdef inline long long age(self, int slot) noexcept
    @cython.final
    cdef inline double part(self, long long age) noexcept
    @cython.locals(kind=int, age=cython.longlong)
    cdef void judge_first(self, int slot, bint right) noexcept
    @cython.locals(keys=Keys, entry=cython.ulonglong, began=cython.uint, slot=int)
    cdef void expire(self, long long limit) noexcept
