cimport cython
from scrubjay.prefetch.calibration cimport Calibration
from scrubjay.prefetch.horizon cimport Horizon

cdef int WINDOW
cdef double FADING
cdef double FLOOR
cdef double CEILING
cdef double PRICE
cdef double CASUAL
cdef double RIVALS
cdef double SCARCE
cdef double CHOOSY
cdef double FIRST

cdef class Purse:
    cdef double spare
    cdef double budget
    cdef double deepest
    cdef readonly double balance
    cdef readonly double allowance
    cdef double misses
    cdef int wait
    cdef double least
    cdef double casual
    cdef readonly double theta
    cdef double floor
    cdef readonly double bar
    @cython.final
    cdef inline void earn(self) noexcept
    @cython.final
    cdef inline bint is_due(self) noexcept
    @cython.final
    cdef inline bint affords(self, double worth) noexcept
    @cython.final
    cdef inline void spend(self, double worth) noexcept
    @cython.final
    @cython.locals(full=double, top=double)
    cdef inline void raise_bar(self) noexcept
    @cython.locals(theta=double, soon=double, late=double)
    cdef void reconsider(self, Calibration calibration, Horizon horizon) noexcept
