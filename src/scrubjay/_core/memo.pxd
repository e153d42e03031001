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
    cdef Store _store
    cdef object _plan
    cdef object _run
    cdef int _arity
    cdef object _key_of
    cdef dict __dict__
    cdef object __weakref__

cdef inline object answer(Memoized self, object key, object args, object named):
    value = self._store.fetch(key, MISSING)
    if value is not MISSING:
        return value
    return self._run(self._plan(key, args, {} if named is None else named))

cdef inline object answer_one(Memoized self, object a):
    key = a if type(a) is str or type(a) is int else (a,)
    value = self._store.fetch(key, MISSING)
    if value is not MISSING:
        return value
    return self._run(self._plan(key, (a,), {}))

cdef inline object vectorcall(PyObject *callee, PyObject **args, size_t nargsf, PyObject *names):
    cdef Memoized self = <Memoized>callee
    cdef Py_ssize_t count = PyVectorcall_NARGS(nargsf)
    cdef Py_ssize_t number
    if names == NULL and count == self._arity:
        if count == 1:
            return answer_one(self, <object>args[0])
        if count == 2:
            key = (<object>args[0], <object>args[1])
            return answer(self, key, key, None)
        if count == 3:
            key = (<object>args[0], <object>args[1], <object>args[2])
            return answer(self, key, key, None)
    positional = tuple([<object>args[number] for number in range(count)])
    named = {}
    if names != NULL:
        for name in <tuple>names:
            named[name] = <object>args[count]
            count += 1
    return answer(self, self._key_of(positional, named), positional, named)

cdef inline void accept_vectorcall(Memoized self):
    if self._store is not None and type(self) is Memoized:
        scrubjay_vectorcall(<PyObject *>self, &self.vectorcall, <void *>vectorcall)
