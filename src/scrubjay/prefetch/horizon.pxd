cimport cython

cdef int AGES
cdef double FIRST_AGE
cdef double PATIENCE
cdef double ENOUGH
cdef double MEMORY
cdef double MARGIN

cdef class Horizon:
    cdef double[::1] came
    cdef double guesses
    cdef double[::1] returns
    cdef double evictions
    cdef double true
    cdef double usual_age
    cdef readonly double wait
    @cython.locals(place=int)
    cdef int rung(self, long long age) noexcept
    @cython.locals(place=int)
    cdef void begin(self) noexcept
    cdef void come(self, long long age) noexcept
    @cython.locals(place=int)
    cdef void evict(self) noexcept
    cdef void come_back(self, long long age) noexcept
    @cython.locals(likely=double, length=double, place=int)
    cdef double rival(self, double wait) noexcept
    @cython.locals(best=double, came=double, stayed=double, length=double, place=int, left=double, wait=double, worth=double)
    cdef void choose(self, double least, double most) noexcept
