cimport cython

cdef double NEVER
cdef int NOTES
cdef int SOCIAL

cdef class Columns:
    cdef readonly int slots
    cdef unsigned int[::1] hits
    cdef int[::1] notes
    cdef int noted
    cdef int most_notes
    cdef unsigned int[::1] accessed
    cdef unsigned int[::1] created
    cdef long long[::1] size
    cdef double[::1] priority
    cdef double[::1] cost
    cdef double[::1] deadline
    cdef double[::1] span
    cdef double[::1] hard
    cdef double[::1] idle
    cdef long long[::1] version
    cdef unsigned int[::1] session
    cdef unsigned char[::1] tagged
    cdef readonly bint has_size, has_priority, has_cost, has_deadline, has_idle, has_version, has_session, has_tagged
    cdef readonly bint has_times
    cdef int grow(self, int slots) except -1
    @cython.final
    cdef inline void note(self, int slot) noexcept
    cdef int want_notes(self) except -1
    cdef int want_size(self) except -1
    cdef int want_priority(self) except -1
    cdef int want_cost(self) except -1
    cdef int want_deadline(self) except -1
    cdef int want_idle(self) except -1
    cdef int want_session(self) except -1
    cdef int want_tagged(self) except -1
    @cython.final
    @cython.locals(marks=cython.uint)
    cdef inline unsigned int marks(self, int slot) noexcept
    cdef int want_version(self, long long version) except -1
