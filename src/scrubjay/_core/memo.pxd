from cpython.object cimport PyObject
from scrubjay._core.store cimport Store

cdef object MISSING

cdef extern from *:
    """
    /* Let calls of `object` pass their arguments as a C array: PEP 590. */
    static void scrubjay_vectorcall(PyObject *object, void *field, void *function) {
        PyTypeObject *type = Py_TYPE(object);
        *(void **)field = function;
        type->tp_vectorcall_offset = (char *)field - (char *)object;
        type->tp_flags |= Py_TPFLAGS_HAVE_VECTORCALL;
    }
    """
    void scrubjay_vectorcall(PyObject *object, void *field, void *function)
    Py_ssize_t PyVectorcall_NARGS(size_t nargsf)

cdef class Tally:
    cdef public long long hits
    cdef public long long misses

cdef class Memoized:
    cdef void *vectorcall
    cdef Store store
    cdef object plan
    cdef object run
    cdef int arity
    cdef object key_of
    cdef dict __dict__
    cdef object __weakref__
    cdef object call_one(self, object a)
    cdef object call_many(self, object args)
    cdef object call(self, object args, object named)

cdef inline object vectorcall(PyObject *callee, PyObject **args, size_t nargsf, PyObject *names):
    cdef Memoized self = <Memoized>callee
    cdef Py_ssize_t count = PyVectorcall_NARGS(nargsf)
    cdef Py_ssize_t number
    if names == NULL and count == self.arity:
        if count == 1:
            return self.call_one(<object>args[0])
        if count == 2:
            return self.call_many((<object>args[0], <object>args[1]))
        if count == 3:
            return self.call_many((<object>args[0], <object>args[1], <object>args[2]))
    positional = tuple([<object>args[number] for number in range(count)])
    named = {}
    if names != NULL:
        for name in <tuple>names:
            named[name] = <object>args[count]
            count += 1
    return self.call(positional, named)

cdef inline void accept_vectorcall(Memoized self):
    scrubjay_vectorcall(<PyObject *>self, &self.vectorcall, <void *>vectorcall)
