from scrubjay._core.links cimport Links
from scrubjay._core.policy cimport Policy

cdef class LRU(Policy):
    cdef Links order
