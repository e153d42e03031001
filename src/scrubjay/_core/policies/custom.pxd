from scrubjay._core.links cimport Links
from scrubjay._core.policy cimport Policy

cdef int NONE
cdef long long INSERTED
cdef long long HIT
cdef long long REMOVED

cdef class Metadata:
    cdef Policy policy
    cdef object check(self, int slot)

cdef class Custom(Policy):
    cdef object factory
    cdef object chosen
    cdef Links order
    cdef unsigned char[::1] present
    cdef object events
    cdef object turn
    cdef int choice
