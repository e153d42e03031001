cimport cython
from scrubjay.prefetch.awaited cimport Awaited
from scrubjay.prefetch.calibration cimport Calibration
from scrubjay.prefetch.keys cimport Keys

cdef int NONE
cdef unsigned int CANDIDATE
cdef int QUEUE
cdef long long STALE

cdef class Candidates:
    cdef Keys keys
    cdef Awaited awaited
    cdef Calibration calibration
    cdef unsigned long long[::1] marks
    cdef int[::1] kinds
    cdef long long[::1] times
    cdef int count
    @cython.locals(keys=Keys, line=int, least=double, place=int, other=double, old=int)
    cdef void offer(self, int slot, int kind) noexcept
    @cython.locals(keys=Keys, found=int, most=double, line=int, slot=int, worth=double)
    cdef int best(self) noexcept
    @cython.final
    @cython.locals(last=int)
    cdef inline void remove(self, int line) noexcept
