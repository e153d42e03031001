cimport cython
from scrubjay._core.links cimport Links
from scrubjay.prefetch.awaited cimport Awaited
from scrubjay.prefetch.calibration cimport Calibration
from scrubjay.prefetch.candidates cimport Candidates
from scrubjay.prefetch.guard cimport Guard
from scrubjay.prefetch.horizon cimport Horizon
from scrubjay.prefetch.keys cimport Keys
from scrubjay.prefetch.pauses cimport Pauses
from scrubjay.prefetch.predictor cimport Predictor
from scrubjay.prefetch.purse cimport Purse
from scrubjay.prefetch.scene cimport Scene
from scrubjay.prefetch.tally cimport Tally

cdef int NONE
cdef int HIT
cdef int MISS
cdef unsigned int HELD
cdef unsigned int UNUSED
cdef unsigned int FLYING
cdef unsigned int GHOST
cdef unsigned int AWAITED
cdef unsigned int LEFT
cdef unsigned int SEEN
cdef unsigned int CANDIDATE
cdef unsigned int PRESENT
cdef unsigned int OVERTAKEN
cdef unsigned int OVERDUE
cdef int SMALLEST
cdef double YOUNG
cdef double TRIALS
cdef double AGES
cdef double TIMES

cdef class Model:
    cdef long long capacity
    cdef Keys keys
    cdef Scene scene
    cdef list predictors
    cdef Calibration calibration
    cdef Guard guard
    cdef Horizon horizon
    cdef Purse purse
    cdef Awaited awaited
    cdef Candidates candidates
    cdef Pauses pauses
    cdef Tally tally
    cdef Links ghosts
    cdef Links waiting
    cdef float[::1] paid
    cdef long long unused
    cdef long long spare
    cdef long long flying
    @cython.locals(slots=int, predictor=Predictor)
    cdef int grow(self) except -1
    @cython.locals(slot=int, scene=Scene, last=int, line=int, predictor=Predictor, purse=Purse)
    cpdef object accessed(self, object key, long long stream, double moment, int outcome)
    @cython.locals(keys=Keys, wide=cython.ulonglong, slot=int)
    cdef int seat(self, object key) except -2
    @cython.locals(state=cython.uint, predictor=Predictor)
    cdef int vacate(self, int slot) except -1
    @cython.locals(keys=Keys, awaited=Awaited, calibration=Calibration, purse=Purse, tally=Tally, state=cython.uint, age=cython.longlong, kind=int)
    cdef void settle(self, int slot, int outcome) noexcept
    @cython.final
    cdef inline void come(self, long long age) noexcept
    @cython.final
    @cython.locals(awaited=Awaited)
    cdef inline void take_time(self, long long age) noexcept
    cdef void judge_loaded(self, int slot, double part) noexcept
    @cython.locals(keys=Keys, awaited=Awaited, calibration=Calibration, bar=double, state=cython.uint, worth=double, old=int, untried=cython.bint)
    cdef void consider(self, int slot, int kind) noexcept
    @cython.final
    cdef inline void offer(self, int slot, int kind) noexcept
    @cython.locals(keys=Keys, awaited=Awaited, worth=double, line=int, slot=int, kind=int, oldest=int)
    cdef int choose(self) noexcept
    cdef void time(self, double seconds) noexcept
    @cython.locals(keys=Keys, slot=int)
    cdef int landed(self, object key, bint stored, bint failed) except -2
    @cython.locals(keys=Keys, slot=int)
    cpdef object dropped(self, object key)
    @cython.locals(keys=Keys, slot=int, state=cython.uint)
    cpdef object evicted(self, object key)
    @cython.locals(slot=int)
    cdef void trim(self) noexcept
