cimport cython
from scrubjay.prefetch.calibration cimport Calibration
from scrubjay.prefetch.guard cimport Guard
from scrubjay.prefetch.model cimport Model
from scrubjay.prefetch.predictor cimport Predictor
from scrubjay.prefetch.purse cimport Purse
from scrubjay.prefetch.tally cimport Tally

cdef int NONE

cdef class Inspection(Model):
    @cython.locals(slot=int)
    cpdef object standing(self, object key)
    @cython.locals(kind=int, calibration=Calibration)
    cpdef list counts(self)
    @cython.locals(line=int, predictor=Predictor)
    cpdef dict tables(self)
    @cython.locals(line=int, predictor=Predictor)
    cpdef object awaken(self, dict tables)
    cpdef object adopt(self, list keys, list known, object ages)
    @cython.locals(purse=Purse, guard=Guard, tally=Tally)
    cpdef object dump(self)
