/* The Python face of the walker: walk() and the Tree it gives. Limited API of CPython 3.11. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "tree.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

typedef struct { PyObject_HEAD Tree *tree; } TreeObject;
static PyObject *tree_type;

static Tree *get_tree(PyObject *self) { return ((TreeObject *)self)->tree; }

static void tree_dealloc(PyObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
    tree_free(get_tree(self));
    release(self);
    Py_DECREF(type);
}

/* An entry row from a Python number, checked; NONE with an exception set otherwise. */
static uint32_t entry_row(Tree *t, PyObject *number) {
    unsigned long row = PyLong_AsUnsignedLong(number);
    if (PyErr_Occurred()) return NONE;
    if (row >= atomic_load(&t->entry_count)) { PyErr_SetString(PyExc_IndexError, "no such entry"); return NONE; }
    return (uint32_t)row;
}

static uint32_t file_row(Tree *t, uint32_t entry) {
    const Entry *e = entry_at(t, entry);
    return is_folder(e) ? folder_at(t, folder_of(e))->file : e->target;
}

static PyObject *time_or_none(int64_t ns) {
    if (ns == INT64_MIN) Py_RETURN_NONE;
    return PyLong_FromLongLong(ns);
}

static PyObject *tree_entry(PyObject *self, PyObject *number) {
    Tree *t = get_tree(self);
    uint32_t e = entry_row(t, number);
    if (e == NONE) return NULL;
    uint32_t f = file_row(t, e);
    if (f == NONE) Py_RETURN_NONE;
    uint64_t parts[] = {FILE_COLUMN(t, mode, f), FILE_COLUMN(t, size, f), FILE_COLUMN(t, allocated, f),
                        t->devices[FILE_COLUMN(t, device, f)].number, FILE_COLUMN(t, inode, f), FILE_COLUMN(t, nlink, f)};
    int64_t times[] = {FILE_COLUMN(t, mtime, f), FILE_COLUMN(t, ctime, f), FILE_COLUMN(t, atime, f), FILE_COLUMN(t, uid, f)};
    PyObject *result = PyTuple_New(10);
    for (Py_ssize_t i = 0; result && i < 10; i++) {   /* asked for every file of a tree: Py_BuildValue takes twice the time */
        PyObject *part = i < 6 ? PyLong_FromUnsignedLongLong(parts[i]) : PyLong_FromLongLong(times[i - 6]);
        if (!part || PyTuple_SetItem(result, i, part)) Py_CLEAR(result);
    }
    return result;
}

static PyObject *tree_name(PyObject *self, PyObject *number) {
    uint32_t e = entry_row(get_tree(self), number);
    return e == NONE ? NULL : PyBytes_FromString(name_at(get_tree(self), entry_at(get_tree(self), e)->name));
}

static PyObject *tree_path(PyObject *self, PyObject *number) {
    size_t n;
    uint32_t e = entry_row(get_tree(self), number);
    if (e == NONE) return NULL;
    char *path = path_of(get_tree(self), e, &n);
    if (!path) return PyErr_NoMemory();
    PyObject *result = PyBytes_FromStringAndSize(path, (Py_ssize_t)n);
    free(path);
    return result;
}

static PyObject *tree_parent(PyObject *self, PyObject *number) {
    uint32_t e = entry_row(get_tree(self), number);
    if (e == NONE) return NULL;
    uint32_t up = folder_at(get_tree(self), entry_at(get_tree(self), e)->folder)->entry;
    if (up == NONE) Py_RETURN_NONE;
    return PyLong_FromUnsignedLong(up);
}

static PyObject *tree_is_folder(PyObject *self, PyObject *number) {
    uint32_t e = entry_row(get_tree(self), number);
    return e == NONE ? NULL : PyBool_FromLong(is_folder(entry_at(get_tree(self), e)));
}

static PyObject *list_folder(Tree *t, uint32_t folder) {
    PyObject *result = PyDict_New();
    for (uint32_t e = atomic_load(&folder_at(t, folder)->head); result && e != NONE; e = entry_at(t, e)->next) {
        if (entry_at(t, e)->target == NONE) continue;
        PyObject *name = PyBytes_FromString(name_at(t, entry_at(t, e)->name)), *row = PyLong_FromUnsignedLong(e);
        if (!name || !row || PyDict_SetItem(result, name, row)) Py_CLEAR(result);
        Py_XDECREF(name);
        Py_XDECREF(row);
    }
    return result;
}

static PyObject *tree_listing(PyObject *self, PyObject *number) {
    Tree *t = get_tree(self);
    uint32_t e = entry_row(t, number);
    if (e == NONE) return NULL;
    return is_folder(entry_at(t, e)) ? list_folder(t, folder_of(entry_at(t, e))) : PyDict_New();
}

static PyObject *tree_starts(PyObject *self, PyObject *unused) { (void)unused; return list_folder(get_tree(self), 0); }

/* (apparent, allocated, entries, newest mtime or None, folders that could not be read whole, flags of this one, print) */
static PyObject *tree_totals(PyObject *self, PyObject *number) {
    Tree *t = get_tree(self);
    uint32_t folder = 0;
    if (number != Py_None) {
        uint32_t e = entry_row(t, number);
        if (e == NONE) return NULL;
        if (!is_folder(entry_at(t, e))) { PyErr_SetString(PyExc_NotADirectoryError, "totals of something that is no folder"); return NULL; }
        folder = folder_of(entry_at(t, e));
    }
    const Folder *f = folder_at(t, folder);
    PyObject *newest = time_or_none(f->newest);
    unsigned long long print = f->print >> 11;       /* 53 bits, which every reader of JSON keeps */
    return newest ? Py_BuildValue("(KKINIIK)", f->apparent, f->allocated, f->entries, newest, f->troubles, f->flags, print) : NULL;
}

static uint32_t *rows_from(Tree *t, PyObject *list, size_t *count) {
    Py_ssize_t n = PyList_Size(list);
    if (n < 0) return NULL;
    uint32_t *rows = malloc(((size_t)n + 1) * sizeof *rows);
    if (!rows) { PyErr_NoMemory(); return NULL; }
    for (Py_ssize_t i = 0; i < n; i++)
        if ((rows[i] = entry_row(t, PyList_GetItem(list, i))) == NONE) { free(rows); return NULL; }
    *count = (size_t)n;
    return rows;
}

static const char **strings(PyObject *list, size_t *count) {
    Py_ssize_t n = PyList_Size(list);
    const char **out = n < 0 ? NULL : calloc((size_t)n + 1, sizeof *out);
    if (!out) { if (!PyErr_Occurred()) PyErr_NoMemory(); return NULL; }
    for (Py_ssize_t i = 0; i < n; i++) {
        char *text;
        Py_ssize_t length;
        if (PyBytes_AsStringAndSize(PyList_GetItem(list, i), &text, &length)) { free(out); return NULL; }
        if (!length || memchr(text, 0, (size_t)length)) { free(out); PyErr_SetString(PyExc_ValueError, "a path or marker is empty or holds a NUL"); return NULL; }
        out[i] = text;
    }
    *count = (size_t)n;
    return out;
}

static PyObject *rows_to_list(const uint32_t *rows, size_t count) {
    PyObject *list = PyList_New(0);
    for (size_t i = 0; list && i < count; i++) {
        PyObject *row = PyLong_FromUnsignedLong(rows[i]);
        if (!row || PyList_Append(list, row)) Py_CLEAR(list);
        Py_XDECREF(row);
    }
    return list;
}

static PyObject *tree_candidates(PyObject *self, PyObject *args) {
    PyObject *excluded, *names, *pruned;
    unsigned long long cap, limit;
    if (!PyArg_ParseTuple(args, "OOOKK", &excluded, &names, &pruned, &cap, &limit)) return NULL;
    SearchOptions o = {.cap = cap, .limit = (size_t)limit};
    uint32_t *rows = NULL;
    PyObject *list = NULL;
    size_t count = 0;
    if ((o.names = strings(names, &o.name_count)) && (o.pruned = strings(pruned, &o.pruned_count))
        && (o.excluded = rows_from(get_tree(self), excluded, &o.excluded_count))) {
        int error;
        Py_BEGIN_ALLOW_THREADS
        error = candidates(get_tree(self), &o, &rows, &count);
        Py_END_ALLOW_THREADS
        list = error ? PyErr_NoMemory() : rows_to_list(rows, count);
    }
    free(o.names); free(o.pruned); free((void *)o.excluded); free(rows);
    return list;
}

static PyObject *hits_to_list(const Hit *hits, size_t count) {
    PyObject *list = PyList_New(0);
    for (size_t i = 0; list && i < count; i++) {
        PyObject *hit = Py_BuildValue("(III)", hits[i].row, hits[i].needle, hits[i].offset);
        if (!hit || PyList_Append(list, hit)) Py_CLEAR(list);
        Py_XDECREF(hit);
    }
    return list;
}

static PyObject *tree_search(PyObject *self, PyObject *args) {
    PyObject *row_list, *needle_list, *list = NULL;
    unsigned long long cap;
    int threads, error = 0;
    if (!PyArg_ParseTuple(args, "OOKi", &row_list, &needle_list, &cap, &threads)) return NULL;
    size_t count = 0, needle_count = 0, hit_count = 0;
    Hit *hits = NULL;
    uint32_t *rows = rows_from(get_tree(self), row_list, &count);
    const char **needles = rows ? strings(needle_list, &needle_count) : NULL;
    if (needles && needle_count > 255) {
        PyErr_SetString(PyExc_ValueError, "at most 255 needles");
    } else if (needles) {
        Py_BEGIN_ALLOW_THREADS
        error = search(get_tree(self), rows, count, needles, needle_count, (size_t)cap, threads, &hits, &hit_count);
        Py_END_ALLOW_THREADS
        list = error ? PyErr_NoMemory() : hits_to_list(hits, hit_count);
    }
    free(rows); free(needles); free(hits);
    return list;
}

/* Groups of rows, each inode once, whose files have the same size. */
static PyObject *tree_same_size(PyObject *self, PyObject *args) {
    PyObject *row_list, *result = NULL, *group = NULL;
    unsigned long long least;
    if (!PyArg_ParseTuple(args, "OK", &row_list, &least)) return NULL;
    size_t n = 0, count = 0;
    Sized *files = NULL;
    uint32_t *rows = rows_from(get_tree(self), row_list, &n);
    if (!rows) return NULL;
    int error;
    Py_BEGIN_ALLOW_THREADS
    error = same_size(get_tree(self), rows, n, least, &files, &count);
    Py_END_ALLOW_THREADS
    free(rows);
    if (error) return PyErr_NoMemory();
    result = PyList_New(0);
    for (size_t i = 0; result && i < count; i++) {
        if (!i || files[i].size != files[i - 1].size) {
            Py_XDECREF(group);
            group = PyList_New(0);
            if (!group || PyList_Append(result, group)) { Py_CLEAR(result); break; }
        }
        PyObject *row = PyLong_FromUnsignedLong(files[i].row);
        if (!row || PyList_Append(group, row)) Py_CLEAR(result);
        Py_XDECREF(row);
    }
    Py_XDECREF(group);
    free(files);
    return result;
}

/* The rows of groups one behind the other, and where each begins; NULL with an exception unless all of a group are files of one size. */
static uint32_t *groups_from(Tree *t, PyObject *list, size_t **starts, size_t *count) {
    Py_ssize_t n = PyList_Check(list) ? PyList_Size(list) : 0;
    size_t total = 0, k = 0;
    uint32_t *rows = NULL;
    *starts = malloc(((size_t)n + 1) * sizeof **starts);
    if (!*starts) { PyErr_NoMemory(); return NULL; }
    for (Py_ssize_t g = 0; g < n; g++) total += PyList_Check(PyList_GetItem(list, g)) ? (size_t)PyList_Size(PyList_GetItem(list, g)) : 0;
    if (!(rows = malloc((total + 1) * sizeof *rows))) { PyErr_NoMemory(); return NULL; }
    *count = (size_t)n;
    (*starts)[0] = total = 0;
    for (Py_ssize_t g = 0; g < n; g++) {
        uint32_t *part = rows_from(t, PyList_GetItem(list, g), &k);
        bool ok = part && k;
        for (size_t i = 0; ok && i < k; i++) {
            const Entry *e = entry_at(t, part[i]);
            ok = e->target != NONE && !is_folder(e) && S_ISREG(FILE_COLUMN(t, mode, e->target))
                && FILE_COLUMN(t, size, e->target) == FILE_COLUMN(t, size, entry_at(t, part[0])->target);
            rows[total++] = part[i];
        }
        free(part);
        if (!ok) { free(rows); if (!PyErr_Occurred()) PyErr_SetString(PyExc_ValueError, "a group of something else than files of one size"); return NULL; }
        (*starts)[g + 1] = total;
    }
    return rows;
}

/* Of groups of files of one size those that hold the same, the bytes that were read, and the rows that could not be. */
static PyObject *tree_same_content(PyObject *self, PyObject *args) {
    Tree *t = get_tree(self);
    PyObject *list;
    int threads;
    if (!PyArg_ParseTuple(args, "Oi", &list, &threads)) return NULL;
    size_t *starts = NULL, count = 0, read = 0;
    uint32_t *rows = groups_from(t, list, &starts, &count);
    size_t n = rows ? starts[count] : 0;
    uint32_t *same = rows ? malloc((n + 1) * sizeof *same) : NULL;
    PyObject **lists = same ? calloc(n + 1, sizeof *lists) : NULL, *equal = lists ? PyList_New(0) : NULL, *unread = equal ? PyList_New(0) : NULL, *result = NULL;
    int error = 0;
    if (unread) {
        Py_BEGIN_ALLOW_THREADS
        error = same_content(t, rows, starts, count, threads, same, &read);
        Py_END_ALLOW_THREADS
    }
    bool ok = unread && !error;
    for (size_t i = 0; ok && i < n; i++) {
        uint32_t first = same[i];
        if (first == i) continue;
        PyObject *row = PyLong_FromUnsignedLong(rows[i]), *to = unread;
        ok = row;
        if (ok && first != NONE && !lists[first]) {
            ok = (lists[first] = Py_BuildValue("[k]", (unsigned long)rows[first])) && !PyList_Append(equal, lists[first]);
            Py_XDECREF(lists[first]);   /* the result holds it */
        }
        if (first != NONE) to = lists[first];
        ok = ok && !PyList_Append(to, row);
        Py_XDECREF(row);
    }
    if (ok) result = Py_BuildValue("(OnO)", equal, (Py_ssize_t)read, unread);
    Py_XDECREF(equal); Py_XDECREF(unread);
    free(rows); free(starts); free(same); free(lists);
    return result || PyErr_Occurred() ? result : PyErr_NoMemory();
}

static PyObject *tree_measure(PyObject *self, PyObject *args) {
    Tree *t = get_tree(self);
    PyObject *row_list, *kept_list;
    if (!PyArg_ParseTuple(args, "OO", &row_list, &kept_list)) return NULL;
    size_t n, kept_n;
    Measure m;
    uint32_t *rows = rows_from(t, row_list, &n), *kept = rows ? rows_from(t, kept_list, &kept_n) : NULL;
    if (!kept) { free(rows); return NULL; }
    int error = measure(t, rows, n, kept, kept_n, &m);
    free(rows);
    free(kept);
    if (error) return PyErr_NoMemory();
    PyObject *newest = time_or_none(m.newest), *read = time_or_none(m.last_read);
    return Py_BuildValue("(KKKKNNN)", m.entries, m.apparent, m.allocated, m.freed, PyBool_FromLong(m.exact), newest, read);
}

/* [(files, allocated)] that each of several groups of rows has in common with the given rows. */
static PyObject *tree_overlap(PyObject *self, PyObject *args) {
    Tree *t = get_tree(self);
    PyObject *row_list, *groups;
    if (!PyArg_ParseTuple(args, "OO!", &row_list, &PyList_Type, &groups)) return NULL;
    size_t n = 0, total = 0, k = (size_t)PyList_Size(groups), at = 0, m = 0;
    for (size_t g = 0; g < k; g++) total += PyList_Check(PyList_GetItem(groups, (Py_ssize_t)g)) ? (size_t)PyList_Size(PyList_GetItem(groups, (Py_ssize_t)g)) : 0;
    uint32_t *rows = rows_from(t, row_list, &n), *others = malloc((total + 1) * sizeof *others), *group = malloc((total + 1) * sizeof *group);
    Overlap *out = calloc(k + 1, sizeof *out);
    bool ok = rows && others && group && out;
    for (size_t g = 0; ok && g < k; g++) {
        uint32_t *part = rows_from(t, PyList_GetItem(groups, (Py_ssize_t)g), &m);
        ok = part != NULL;
        for (size_t i = 0; ok && i < m; i++) { others[at] = part[i]; group[at++] = (uint32_t)g; }
        free(part);
    }
    ok = ok && !overlap(t, rows, n, others, group, at, out);
    PyObject *result = ok ? PyList_New(0) : NULL;
    for (size_t g = 0; result && g < k; g++) {
        PyObject *item = Py_BuildValue("(KK)", out[g].files, out[g].allocated);
        if (!item || PyList_Append(result, item)) Py_CLEAR(result);
        Py_XDECREF(item);
    }
    free(rows); free(others); free(group); free(out);
    return result || PyErr_Occurred() ? result : PyErr_NoMemory();
}

/* A whole column in row order, files then names: bytes of native integers, for those who want every entry. */
static PyObject *tree_column(PyObject *self, PyObject *args) {
    Tree *t = get_tree(self);
    const char *name;
    if (!PyArg_ParseTuple(args, "s", &name)) return NULL;
    uint32_t n = atomic_load(&t->entry_count);
    PyObject *result = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)n * 8);
    if (!result) return NULL;
    uint64_t *out = (uint64_t *)(void *)PyBytes_AsString(result);
    for (uint32_t e = 0; e < n; e++) {
        uint32_t f = entry_at(t, e)->target == NONE ? NONE : file_row(t, e);
        if (!strcmp(name, "parent")) { out[e] = folder_at(t, entry_at(t, e)->folder)->entry; continue; }
#define COLUMN(label, column) if (!strcmp(name, label)) { out[e] = f == NONE ? 0 : (uint64_t)FILE_COLUMN(t, column, f); continue; }
        COLUMN("mode", mode) COLUMN("size", size) COLUMN("allocated", allocated) COLUMN("inode", inode)
        COLUMN("nlink", nlink) COLUMN("mtime", mtime) COLUMN("ctime", ctime) COLUMN("atime", atime) COLUMN("uid", uid)
        if (!strcmp(name, "device")) { out[e] = f == NONE ? 0 : t->devices[FILE_COLUMN(t, device, f)].number; continue; }
        Py_DECREF(result);
        return PyErr_Format(PyExc_KeyError, "no column %s", name);
    }
    return result;
}

/* Rows of the n regular files that take most space, largest first; one name for each inode. */
/* Every name of every regular file that takes at least so many bytes: [(row, number of the file)]. */
static PyObject *tree_at_least(PyObject *self, PyObject *number) {
    Tree *t = get_tree(self);
    unsigned long long least = PyLong_AsUnsignedLongLong(number);
    if (PyErr_Occurred()) return NULL;
    PyObject *result = PyList_New(0);
    uint32_t n = atomic_load(&t->entry_count);
    for (uint32_t e = 0; result && e < n; e++) {
        uint32_t f = entry_at(t, e)->target;
        if (f == NONE || f & FOLDER_BIT || !S_ISREG(FILE_COLUMN(t, mode, f)) || FILE_COLUMN(t, allocated, f) < least) continue;
        PyObject *item = Py_BuildValue("(II)", e, f);
        if (!item || PyList_Append(result, item)) Py_CLEAR(result);
        Py_XDECREF(item);
    }
    return result;
}

static PyObject *tree_largest(PyObject *self, PyObject *args) {
    Tree *t = get_tree(self);
    unsigned int want;
    if (!PyArg_ParseTuple(args, "I", &want)) return NULL;
    uint32_t n = atomic_load(&t->entry_count), have = 0;
    if (want > n) want = n;
    uint32_t *best = malloc((want + 1u) * sizeof *best);
    uint8_t *met = calloc(1, atomic_load(&t->file_count) / 8 + 1);
    if (!best || !met) { free(best); free(met); return PyErr_NoMemory(); }
    for (uint32_t e = 0; e < n && want; e++) {
        uint32_t f = entry_at(t, e)->target;
        if (f == NONE || f & FOLDER_BIT || !S_ISREG(FILE_COLUMN(t, mode, f))) continue;
        uint64_t bytes = FILE_COLUMN(t, allocated, f);
        if (have == want && bytes <= FILE_COLUMN(t, allocated, entry_at(t, best[have - 1])->target)) continue;
        if (met[f >> 3] >> (f & 7) & 1) continue;
        met[f >> 3] |= (uint8_t)(1 << (f & 7));
        uint32_t at = have < want ? have++ : have - 1;
        while (at && FILE_COLUMN(t, allocated, entry_at(t, best[at - 1])->target) < bytes) { best[at] = best[at - 1]; at--; }
        best[at] = e;
    }
    PyObject *result = PyList_New(0);
    for (uint32_t i = 0; result && i < have; i++) {
        PyObject *row = PyLong_FromUnsignedLong(best[i]);
        if (!row || PyList_Append(result, row)) Py_CLEAR(result);
        Py_XDECREF(row);
    }
    free(best);
    free(met);
    return result;
}

/* Rows of every name of the entry's file. */
static PyObject *tree_names(PyObject *self, PyObject *number) {
    Tree *t = get_tree(self);
    uint32_t e = entry_row(t, number);
    if (e == NONE) return NULL;
    if (is_folder(entry_at(t, e)) || entry_at(t, e)->target == NONE) return rows_to_list(&e, 1);
    if (!chain_names(t)) return PyErr_NoMemory();
    PyObject *result = PyList_New(0);
    for (uint32_t i = t->first_name[entry_at(t, e)->target]; result && i != NONE; i = t->next_name[i]) {
        PyObject *row = PyLong_FromUnsignedLong(i);
        if (!row || PyList_Append(result, row)) Py_CLEAR(result);
        Py_XDECREF(row);
    }
    return result;
}

static PyObject *tree_troubles(PyObject *self, void *unused) {
    (void)unused;
    Tree *t = get_tree(self);
    PyObject *result = PyList_New(0);
    for (size_t i = 0; result && i < t->trouble_count; i++) {
        PyObject *item = Py_BuildValue("(Ii)", t->troubles[i].entry, t->troubles[i].error);
        if (!item || PyList_Append(result, item)) Py_CLEAR(result);
        Py_XDECREF(item);
    }
    return result;
}

static PyObject *tree_marks(PyObject *self, void *unused) {
    (void)unused;
    Tree *t = get_tree(self);
    PyObject *result = PyList_New(0);
    for (size_t i = 0; result && i < t->mark_count; i++) {
        if (entry_at(t, t->marks[i].entry)->target == NONE) continue;
        PyObject *item = Py_BuildValue("(II)", t->marks[i].entry, t->marks[i].marker);
        if (!item || PyList_Append(result, item)) Py_CLEAR(result);
        Py_XDECREF(item);
    }
    return result;
}

static PyObject *tree_devices(PyObject *self, void *unused) {
    (void)unused;
    Tree *t = get_tree(self);
    PyObject *result = PyList_New(0);
    for (uint32_t i = 0; result && i < atomic_load(&t->device_count); i++) {
        const Device *d = &t->devices[i];
        PyObject *item = Py_BuildValue("(KliN)", d->number, d->type, d->sharing, PyBool_FromLong(atomic_load(&d->trusted)));
        if (!item || PyList_Append(result, item)) Py_CLEAR(result);
        Py_XDECREF(item);
    }
    return result;
}

static PyObject *tree_partial(PyObject *self, void *unused) { (void)unused; return PyBool_FromLong(get_tree(self)->partial); }
static PyObject *tree_stat_calls(PyObject *self, void *unused) { (void)unused; return PyLong_FromUnsignedLongLong(get_tree(self)->stat_calls); }
static Py_ssize_t tree_length(PyObject *self) { return (Py_ssize_t)atomic_load(&get_tree(self)->entry_count); }

static PyMethodDef tree_methods[] = {
    {"entry", tree_entry, METH_O, "(mode, size, allocated, device, inode, nlink, mtime, ctime, atime, uid); None where nothing could be read."},
    {"name", tree_name, METH_O, "The entry's name; a starting point's is its whole path."},
    {"path", tree_path, METH_O, "The entry's path as bytes."},
    {"parent", tree_parent, METH_O, "Row of the folder that holds the entry, None for a starting point."},
    {"is_folder", tree_is_folder, METH_O, "Whether the entry is a folder."},
    {"listing", tree_listing, METH_O, "The folder's entries as {name: row}."},
    {"starts", tree_starts, METH_NOARGS, "The walk's starting points as {path: row}."},
    {"totals", tree_totals, METH_O, "(apparent, allocated, entries, newest, troubles, flags, print) of a folder, or of the walk for None."},
    {"measure", tree_measure, METH_VARARGS, "(entries, apparent, allocated, freed, exact, newest, last_read) of distinct rows, less the kept ones."},
    {"candidates", tree_candidates, METH_VARARGS, "candidates(excluded, names, pruned, cap, limit) -> rows"},
    {"same_size", tree_same_size, METH_VARARGS, "same_size(rows, least) -> [[row, ...]] of files of one size, each inode once, the largest first."},
    {"same_content", tree_same_content, METH_VARARGS, "same_content(groups, threads) -> ([[row, ...]] of those that hold the same, bytes read, [row] of what is not as the walk saw it)."},
    {"search", tree_search, METH_VARARGS, "search(rows, needles, cap, threads) -> [(row, needle, offset)]"},
    {"overlap", tree_overlap, METH_VARARGS, "[(files, allocated)] that groups of rows have in common with the given rows."},
    {"column", tree_column, METH_VARARGS, "One column of every entry as native 64-bit integers."},
    {"names", tree_names, METH_O, "Rows of every name that the entry's file has in this walk."},
    {"at_least", tree_at_least, METH_O, "[(row, file)] of every name of the regular files that take at least so many bytes."},
    {"largest", tree_largest, METH_VARARGS, "Rows of the files that take most space."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef tree_members[] = {
    {"troubles", tree_troubles, NULL, "[(row, errno)] of what could not be read.", NULL},
    {"marks", tree_marks, NULL, "[(row, marker number)] of names that fit a marker.", NULL},
    {"devices", tree_devices, NULL, "[(device, file system type, sharing, entries carry inodes)].", NULL},
    {"partial", tree_partial, NULL, "Whether the walk was stopped before its end.", NULL},
    {"stat_calls", tree_stat_calls, NULL, "How many stat calls the walk made.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot tree_slots[] = {
    {Py_tp_dealloc, (void *)tree_dealloc}, {Py_tp_methods, tree_methods}, {Py_tp_getset, tree_members},
    {Py_sq_length, (void *)tree_length}, {Py_tp_doc, "The columns of one walk."}, {0, NULL},
};
static PyType_Spec tree_spec = {"modelyard.walk._walker.Tree", sizeof(TreeObject), 0,
                                Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, tree_slots};

static Mount *mounts_from(PyObject *list, size_t *count) {
    Py_ssize_t n = PyList_Size(list);
    Mount *out = n < 0 ? NULL : calloc((size_t)n + 1, sizeof *out);
    if (!out) { if (!PyErr_Occurred()) PyErr_NoMemory(); return NULL; }
    for (Py_ssize_t i = 0; i < n; i++) {
        unsigned long long device, inode, mounted;
        if (!PyArg_ParseTuple(PyList_GetItem(list, i), "KKyK", &device, &inode, &out[i].name, &mounted)) { free(out); return NULL; }
        out[i].device = device; out[i].inode = inode; out[i].mounted = mounted;
    }
    *count = (size_t)n;
    return out;
}

/* Lets signals and the progress function have their say; false when the walk is to stop. Ctrl-C is swallowed:
   the partial tree is the answer. Any other exception is kept for the end. */
static bool still_wanted(Tree *t, Walk *w, PyObject *progress) {
    PyObject *answer = NULL;
    if (PyErr_CheckSignals() == 0 && progress != Py_None) {
        uint32_t folder = walk_folder(w);
        size_t n = 0;
        char *path = folder == NONE ? NULL : path_of(t, folder, &n);
        answer = PyObject_CallFunction(progress, "IKy#", atomic_load(&t->entry_count), walk_bytes(w), path ? path : "", (Py_ssize_t)n);
        free(path);
        Py_XDECREF(answer);
    }
    if (!PyErr_Occurred()) return true;
    if (PyErr_ExceptionMatches(PyExc_KeyboardInterrupt)) PyErr_Clear();
    return false;
}

static int walk_through(Tree *t, const WalkOptions *o, PyObject *progress) {
    Walk *w = walk_start(t, o);
    if (!w) return ENOMEM;
    PyObject *type = NULL, *value = NULL, *trace = NULL;
    bool wanted = true, over = false;
    while (!over) {
        Py_BEGIN_ALLOW_THREADS
        over = walk_wait(w, 50);
        Py_END_ALLOW_THREADS
        if (over || !wanted) continue;
        wanted = still_wanted(t, w, progress);
        if (wanted) continue;
        walk_stop(w);
        PyErr_Fetch(&type, &value, &trace);
    }
    int error;
    Py_BEGIN_ALLOW_THREADS
    error = walk_finish(w);
    Py_END_ALLOW_THREADS
    if (type) PyErr_Restore(type, value, trace);
    return error;
}

static PyObject *walk(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *roots, *markers, *mounts, *progress;
    int portable, cross;
    WalkOptions o = {0};
    if (!PyArg_ParseTuple(args, "O!O!O!ippO", &PyList_Type, &roots, &PyList_Type, &markers, &PyList_Type, &mounts,
                          &o.threads, &portable, &cross, &progress)) return NULL;
    o.portable = portable; o.cross_device = cross;
    if (PyList_Size(markers) > 256) { PyErr_SetString(PyExc_ValueError, "at most 256 markers"); return NULL; }
    if (o.threads < 1 || o.threads > 64) { PyErr_SetString(PyExc_ValueError, "threads must be 1 to 64"); return NULL; }
    TreeObject *self = NULL;
    Tree *t = tree_new();
    Mount *table = NULL;
    if ((o.roots = strings(roots, &o.root_count)) && (o.markers = strings(markers, &o.marker_count))
        && (table = mounts_from(mounts, &o.mount_count))) {
        o.mounts = table;
        allocfunc make = (allocfunc)PyType_GetSlot((PyTypeObject *)tree_type, Py_tp_alloc);
        self = t ? (TreeObject *)make((PyTypeObject *)tree_type, 0) : NULL;
        if (!self && !PyErr_Occurred()) PyErr_NoMemory();
    }
    if (self) {
        self->tree = t;
        int error = walk_through(t, &o, progress);
        if (error && !PyErr_Occurred()) { errno = error; PyErr_SetFromErrno(PyExc_OSError); }
        if (PyErr_Occurred()) { Py_DECREF(self); self = NULL; }
    } else {
        tree_free(t);
    }
    free(o.roots); free(o.markers); free(table);
    return (PyObject *)self;
}

static PyObject *py_is_cast(PyObject *module, PyObject *args) {
    (void)module;
    const char *wide, *narrow;
    Py_ssize_t wide_bytes, narrow_bytes;
    int brain;
    bool same;
    if (!PyArg_ParseTuple(args, "y#y#p", &wide, &wide_bytes, &narrow, &narrow_bytes, &brain)) return NULL;
    if (wide_bytes % 4 || narrow_bytes * 2 != wide_bytes) { PyErr_SetString(PyExc_ValueError, "not as many narrow floats as wide ones"); return NULL; }
    Py_BEGIN_ALLOW_THREADS
    same = is_cast((const unsigned char *)wide, (const unsigned char *)narrow, (size_t)wide_bytes / 4, brain);
    Py_END_ALLOW_THREADS
    return PyBool_FromLong(same);
}

static PyObject *contents_to_list(const Content *found, size_t count) {
    PyObject *list = PyList_New((Py_ssize_t)count);
    for (size_t i = 0; list && i < count; i++) {
        PyObject *data = found[i].data ? PyBytes_FromStringAndSize((const char *)found[i].data, (Py_ssize_t)found[i].size) : Py_NewRef(Py_None);
        if (!data || PyList_SetItem(list, (Py_ssize_t)i, data)) Py_CLEAR(list);
    }
    return list;
}

static PyObject *py_read_many(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *list, *result = NULL;
    Py_ssize_t most;
    int threads;
    if (!PyArg_ParseTuple(args, "O!ni", &PyList_Type, &list, &most, &threads)) return NULL;
    size_t count;
    const char **paths = strings(list, &count);
    Content *found = paths ? calloc(count + 1, sizeof *found) : NULL;
    if (found) {
        Py_BEGIN_ALLOW_THREADS
        read_many(paths, count, most < 0 ? 0 : (size_t)most, threads, found);
        Py_END_ALLOW_THREADS
        result = contents_to_list(found, count);
        for (size_t i = 0; i < count; i++) free(found[i].data);
    } else if (paths) PyErr_NoMemory();
    free(found); free(paths);
    return result;
}

static PyObject *py_read_anew(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *list, *result = NULL;
    Py_ssize_t most;
    if (!PyArg_ParseTuple(args, "O!n", &PyList_Type, &list, &most)) return NULL;
    size_t count;
    const char **paths = strings(list, &count);
    Anew *found = paths ? calloc(count + 1, sizeof *found) : NULL;
    if (found) {
        Py_BEGIN_ALLOW_THREADS
        read_anew(paths, count, most < 0 ? 0 : (size_t)most, found);
        Py_END_ALLOW_THREADS
        result = PyList_New(0);
        for (size_t i = 0; i < count; i++) {
            const Anew *f = &found[i];
            PyObject *each = !result ? NULL : f->error ? PyLong_FromLong(f->error)
                : Py_BuildValue("(KKKLLy#)", f->device, f->inode, f->size, f->mtime, f->ctime, f->data, (Py_ssize_t)f->size);
            if (result && (!each || PyList_Append(result, each))) Py_CLEAR(result);
            Py_XDECREF(each);
            free(f->data);
        }
    } else if (paths) PyErr_NoMemory();
    free(found); free(paths);
    return result;
}

static PyObject *py_places(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *list, *result = NULL;
    int threads;
    if (!PyArg_ParseTuple(args, "O!i", &PyList_Type, &list, &threads)) return NULL;
    size_t count;
    const char **paths = strings(list, &count);
    Place *found = paths ? calloc(count + 1, sizeof *found) : NULL;
    if (found) {
        Py_BEGIN_ALLOW_THREADS
        places(paths, count, threads, found);
        Py_END_ALLOW_THREADS
        result = PyList_New(0);
        for (size_t i = 0; result && i < count; i++) {
            PyObject *each = Py_BuildValue("(KK)", found[i].device, found[i].at);
            if (!each || PyList_Append(result, each)) Py_CLEAR(result);
            Py_XDECREF(each);
        }
    } else if (paths) PyErr_NoMemory();
    free(found); free(paths);
    return result;
}

static PyMethodDef functions[] = {
    {"read_anew", py_read_anew, METH_VARARGS, "read_anew(paths, most) -> [(device, inode, size, mtime, ctime, bytes)] as the medium has them, or an errno: ESTALE for what was written to meanwhile, EFBIG for what is longer."},
    {"places", py_places, METH_VARARGS, "places(paths, threads) -> [(device, where on it the file begins)], zeros where nobody tells."},
    {"read_many", py_read_many, METH_VARARGS, "read_many(paths, most, threads) -> [bytes], None for what is no plain file of at most so many bytes, or cannot be read."},
    {"is_cast", py_is_cast, METH_VARARGS, "is_cast(wide, narrow, brain) -> whether each float16 (bfloat16) is what the float32 rounds to."},
    {"walk", walk, METH_VARARGS, "walk(roots, markers, mounts, threads, portable, cross_device, progress) -> Tree"},
    {NULL, NULL, 0, NULL},
};
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "_walker", "Walks folders with threads; the result is columns.", -1, functions, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__walker(void) {
    tree_type = PyType_FromSpec(&tree_spec);
    if (!tree_type) return NULL;
    PyObject *module = PyModule_Create(&definition);
    if (module && PyModule_AddObjectRef(module, "Tree", tree_type)) Py_CLEAR(module);
    return module;
}
