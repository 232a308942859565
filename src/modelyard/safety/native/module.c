/* The Python face of the machine for plain streams. Limited API of CPython 3.11. */
#include "plain.h"

#include <stdlib.h>

#define MOST_BYTES (1 << 28)

static void machine_free(Machine *m) {
    for (uint32_t each = 0; each < m->name_count; each++) Py_DECREF(m->names[each].entry);
    free(m->stack); free(m->memo); free(m->items); free(m->marks); free(m->nodes); free(m->names);
}

/* Every name with the offset of the first time. */
static PyObject *names_of(const Machine *m) {
    PyObject *names = PyDict_New();
    for (uint32_t each = 0; names && each < m->name_count; each++) {
        PyObject *name = PyTuple_GetItem(m->names[each].entry, 1), *at = NULL;
        int seen = name ? PyDict_Contains(names, name) : -1;
        if (!seen) at = PyLong_FromSsize_t(m->names[each].at);
        if (seen < 0 || (!seen && (!at || PyDict_SetItem(names, name, at)))) Py_CLEAR(names);
        Py_XDECREF(at);
    }
    return names;
}

static PyObject *follow(PyObject *module, PyObject *args) {
    (void)module;
    Machine m = {0};
    Py_buffer data;
    int whole, with_arrays;
    Py_ssize_t start;
    if (!PyArg_ParseTuple(args, "y*nO!OOpp", &data, &start, &PyDict_Type, &m.known, &m.ask, &m.persistent, &whole, &with_arrays)) return NULL;
    m.data = data.buf;
    m.size = data.len;
    m.at = start < 0 || start > data.len ? data.len : start;
    m.whole = whole;
    m.with_arrays = with_arrays;
    Outcome outcome = data.len > MOST_BYTES ? UNSURE : machine_follow(&m);
    PyObject *names = outcome == ENDS || outcome == BREAKS ? names_of(&m) : NULL, *found = NULL;
    if (names) found = Py_BuildValue("(OniNIO)", outcome == ENDS ? Py_True : Py_False, m.at, m.protocol, names, m.arrays, m.counting ? Py_True : Py_False);
    machine_free(&m);
    PyBuffer_Release(&data);
    if (found || PyErr_Occurred()) return found;
    Py_RETURN_NONE;
}

static PyMethodDef functions[] = {
    {"follow", follow, METH_VARARGS,
     "follow(data, start, known, ask, persistent, whole, with_arrays) -> (ended, end, protocol, names, arrays, counting), "
     "None for what it cannot judge"},
    {NULL, NULL, 0, NULL},
};
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "_plain", "Follows plain pickle streams.", -1, functions, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__plain(void) { return PyModule_Create(&definition); }
