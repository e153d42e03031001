cimport cython
from scrubjay._core.links cimport Links
from scrubjay.prefetch.calibration cimport Calibration
from scrubjay.prefetch.guard cimport Guard
from scrubjay.prefetch.horizon cimport Horizon
from scrubjay.prefetch.keys cimport Keys
from scrubjay.prefetch.predictor cimport Predictor
from scrubjay.prefetch.scene cimport Scene

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
cdef long long RING
cdef int QUEUE
cdef int WINDOW
cdef double FADING
cdef double FLOOR
cdef double CEILING
cdef double PRICE
cdef double CASUAL
cdef double SCARCE
cdef double CHOOSY
cdef double RIVALS
cdef double YOUNG
cdef long long STALE
cdef double TRIALS
cdef int FAILURES
cdef double SLOWER
cdef double NOTICEABLE
cdef double FEWEST
cdef double USUAL
cdef long long SILENCE
cdef long long LONGEST_SILENCE

cdef class Model:
    cdef long long capacity
    cdef double cost_ratio
    cdef double budget
    cdef Keys keys
    cdef Scene scene
    cdef list predictors
    cdef Calibration calibration
    cdef Guard guard
    cdef Links ghosts
    cdef Links waiting
    cdef unsigned short[::1] kind
    cdef unsigned int[::1] since
    cdef unsigned short[::1] first_kind
    cdef unsigned int[::1] first_since
    cdef float[::1] paid
    cdef long long[::1] issued_of
    cdef long long[::1] used_of
    cdef long long[::1] late_of
    cdef int failed_in_a_row
    cdef long long silent_until
    cdef long long silence
    cdef double usual_seconds
    cdef double timed
    cdef double recent_seconds
    cdef unsigned long long[::1] ring
    cdef long long first
    cdef long long last
    cdef unsigned long long[::1] queue
    cdef int[::1] queue_kinds
    cdef long long[::1] queue_times
    cdef int queued
    cdef double theta
    cdef int wait
    cdef double misses
    cdef double purse
    cdef double allowance
    cdef double deepest
    cdef long long unused
    cdef long long spare
    cdef long long flying
    cdef Horizon horizon
    cdef double patience
    cdef double bar
    cdef double rival
    cdef double floor
    cdef double least
    cdef double casual
    cdef double lag
    cdef long long all_misses, plain_misses, issued, used, late, wasted, failures
    cdef double accuracy
    @cython.locals(slots=int, predictor=Predictor)
    cdef int grow(self) except -1
    @cython.locals(slot=int, scene=Scene, last=int, line=int, predictor=Predictor)
    cpdef object accessed(self, object key, long long stream, double moment, int outcome)
    @cython.locals(full=double, top=double)
    cdef inline void raise_bar(self) noexcept
    @cython.locals(keys=Keys, wide=cython.ulonglong, slot=int)
    cdef int seat(self, object key) except -2
    @cython.locals(state=cython.uint, predictor=Predictor)
    cdef int vacate(self, int slot) except -1
    @cython.locals(keys=Keys, state=cython.uint, age=cython.longlong, kind=int)
    cdef void settle(self, int slot, int outcome) noexcept
    cdef inline double part(self, long long age) noexcept
    cdef inline void age(self, long long age) noexcept
    cdef inline void take_time(self, long long age) noexcept
    @cython.locals(kind=int, age=cython.longlong)
    cdef void judge_first(self, int slot, bint right) noexcept
    cdef void judge_loaded(self, int slot, double part) noexcept
    @cython.locals(keys=Keys, limit=cython.longlong, entry=cython.ulonglong, began=cython.uint, slot=int)
    cdef void expire(self) noexcept
    @cython.locals(keys=Keys, state=cython.uint, calibration=Calibration, worth=double, old=int, began=cython.uint, untried=cython.bint)
    cdef void consider(self, int slot, int kind) noexcept
    @cython.locals(line=int, worth=double, least=double, place=int, other=double, old=int)
    cdef void offer(self, int slot, int kind) noexcept
    @cython.locals(keys=Keys, worths=cython.double[::1], best=int, most=double, line=int, slot=int, kind=int, oldest=int, age=cython.longlong)
    cdef int choose(self) noexcept
    @cython.locals(last=int)
    cdef void remove(self, int line) noexcept
    @cython.locals(keys=Keys, slot=int)
    cdef int landed(self, object key, bint stored, bint failed) except -2
    @cython.locals(keys=Keys, slot=int)
    cpdef object dropped(self, object key)
    @cython.locals(keys=Keys, slot=int, state=cython.uint)
    cpdef object evicted(self, object key)
    @cython.locals(slot=int)
    cdef void trim(self) noexcept
    @cython.locals(theta=double, soon=double, late=double)
    cdef void reconsider(self) noexcept
    cpdef object dump(self)
    @cython.locals(slower=double)
    cdef void time(self, double seconds) noexcept
    cdef void fail(self) noexcept
    cdef void be_silent(self) noexcept
    @cython.locals(slot=int)
    cpdef object standing(self, object key)
    @cython.locals(kind=int, calibration=Calibration)
    cpdef list counts(self)
    @cython.locals(line=int, predictor=Predictor)
    cpdef dict tables(self)
    @cython.locals(line=int)
    cpdef object awaken(self, dict tables)
    cpdef object adopt(self, list keys, list known, object ages)
