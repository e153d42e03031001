cimport cython
from scrubjay.prefetch.calibration cimport Calibration
from scrubjay.prefetch.inspection cimport Inspection
from scrubjay.prefetch.predictor cimport Predictor
from scrubjay.prefetch.scene cimport Scene

cdef int NONE
cdef unsigned int FLYING
cdef unsigned int OVERTAKEN
cdef unsigned int UNUSED

cdef long long KEYS_AN_ENTRY
cdef long long FEWEST_KEYS
cdef long long MOST_KEYS

cdef long long fit_keys(long long capacity) noexcept

cdef class Planner(Inspection):
    cdef list sources
    @cython.locals(planned=list)
    cpdef object plan(self, int most)
    @cython.locals(slot=int, kind=int)
    cdef object next_guess(self)
    @cython.locals(slot=int, scene=Scene, line=int, kind=int, worth=double, tries=double, right=double, usual=double, predictor=Predictor, calibration=Calibration)
    cpdef object predict(self, object key, long long stream, int most)
    cpdef object fetched(self, object guess, double seconds, bint stored)
    cpdef object failed(self, object guess)
    cpdef object room(self)
    cpdef object lifetime(self)
    cpdef object resize(self, long long capacity)
