cdef extern from *:
    """
    static CYTHON_INLINE unsigned long long scrubjay_mix(unsigned long long h) {
        h = (h ^ (h >> 15)) * 0x2C1B3C6D;
        return ((h ^ (h >> 29)) & 0x7FFFFFFF) * 0x297A2D39;
    }
    """
    unsigned long long scrubjay_mix(unsigned long long h) noexcept nogil
