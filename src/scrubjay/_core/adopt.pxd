cdef extern from *:
    """
    /* A method descriptor of `cls` for the same C function as the inherited `method`. */
    static PyObject *scrubjay_adopt(PyObject *cls, PyObject *method) {
        if (!PyType_Check(cls) || !Py_IS_TYPE(method, &PyMethodDescr_Type)) {
            Py_INCREF(method);
            return method;
        }
        return PyDescr_NewMethod((PyTypeObject *)cls, ((PyMethodDescrObject *)method)->d_method);
    }
    """
    object scrubjay_adopt(object cls, object method)
