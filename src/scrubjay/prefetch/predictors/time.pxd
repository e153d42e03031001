cimport cython
from scrubjay.prefetch.predictor cimport Predictor
from scrubjay.prefetch.scene cimport Scene

cdef int NONE
cdef double HOUR
cdef long long HOURS
cdef double SLACK
cdef int REGULAR
cdef long long WHEEL
cdef int MOST_DUE
cdef int STEPS
cdef int MOST_HOURS

cdef class Time(Predictor):
    cdef int slots
    cdef bint open
    @cython.locals(slots=int)
    cdef int begin(self) except -1
    cdef double[::1] last
    cdef float[::1] period
    cdef unsigned char[::1] kept
    cdef unsigned short[::1] hours
    cdef unsigned short[::1] earlier
    cdef unsigned long long[::1] wheel
    cdef long long second
    cdef int hand
    cdef long long hour
    cdef int left
    cpdef int grow(self, int slots) except -1
    cpdef int forget(self, int slot) except -1
    @cython.locals(slot=int, gap=double, period=double, wrong=double, hour=cython.longlong)
    cpdef int learn(self, Scene scene) except -1
    @cython.locals(period=double, early=double, due=cython.longlong, base=cython.longlong, place=cython.longlong)
    cdef void expect(self, Scene scene) noexcept
    @cython.locals(now=cython.longlong, base=cython.longlong, place=cython.longlong, mark=cython.ulonglong, slot=int, kept=int, band=int, hour=cython.longlong)
    cpdef int propose(self, Scene scene) except -1
    @cython.locals(week=cython.longlong, day=cython.longlong, found=int, _=int, slot=int, band=int)
    cdef void sweep(self, Scene scene, long long hour) noexcept
    cpdef dict parts(self)
    cpdef object wake(self, long long size)
