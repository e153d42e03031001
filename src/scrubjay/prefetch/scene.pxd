cimport cython
from scrubjay.prefetch.keys cimport Keys
from scrubjay.prefetch.streams cimport Streams

cdef int MOST_GUESSES

cdef class Scene:
    cdef Keys keys
    cdef Streams streams
    cdef Streams all
    cdef int slot
    cdef unsigned long long mark
    cdef int row
    cdef long long stream
    cdef double moment
    cdef int outcome
    cdef int lag
    cdef int count
    cdef int[::1] slots
    cdef int[::1] classes
    @cython.final
    cdef inline void guess(self, int slot, int kind) noexcept
