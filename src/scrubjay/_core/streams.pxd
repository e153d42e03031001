cdef extern from *:
    """
    static CYTHON_INLINE unsigned int scrubjay_here(void) {
        PyThreadState *state = PyThreadState_Get();
        size_t at = (size_t)(state->context != NULL ? (void *)state->context : (void *)state);
        unsigned int number = (unsigned int)((at >> 4) ^ (at >> 33)) & 0x1FFFFFFF;
        return number != 0 ? number : 1;
    }
    """
    unsigned int here "scrubjay_here" ()
