/* What is looked up, called, made and given a state, by what the policy says of its name. */
#include "plain.h"

static uint32_t flags_of(const Machine *m, const Value *v) { return v->kind == NAME ? m->names[v->at].flags : 0; }

/* Asks Python what is known of a name, and lets it be remembered when it is vetted: of those there is an end. */
static PyObject *asked(Machine *m, PyObject *key, Py_ssize_t module, uint32_t module_length, Py_ssize_t name, uint32_t name_length) {
    PyObject *entry = PyObject_CallFunction(m->ask, "s#s#O", m->data + module, (Py_ssize_t)module_length, m->data + name,
                                            (Py_ssize_t)name_length, m->protocol < 3 ? Py_True : Py_False);
    if (!entry) return NULL;
    unsigned long flags = PyTuple_Check(entry) ? PyLong_AsUnsignedLong(PyTuple_GetItem(entry, 0)) : (unsigned long)-1;
    if (PyErr_Occurred() || (flags & VETTED && PyDict_SetItem(m->known, key, entry))) Py_CLEAR(entry);
    return entry;
}

static PyObject *entry_of(Machine *m, Py_ssize_t module, uint32_t module_length, Py_ssize_t name, uint32_t name_length) {
    PyObject *key = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)module_length + name_length + 2);
    if (!key) return NULL;
    char *text = PyBytes_AsString(key);
    text[0] = m->protocol < 3 ? '2' : '3';
    memcpy(text + 1, m->data + module, module_length);
    text[1 + module_length] = '\n';
    memcpy(text + 2 + module_length, m->data + name, name_length);
    PyObject *entry = PyDict_GetItemWithError(m->known, key);
    if (entry) Py_INCREF(entry);
    else if (!PyErr_Occurred()) entry = asked(m, key, module, module_length, name, name_length);
    Py_DECREF(key);
    return entry;
}

Outcome name_at(Machine *m, Py_ssize_t module, uint32_t module_length, Py_ssize_t name, uint32_t name_length, Py_ssize_t at) {
    if (m->name_count >= MOST_NAMES) return UNSURE;
    if (!machine_room((void **)&m->names, &m->name_room, m->name_count, sizeof *m->names)) return RAISED;
    PyObject *entry = entry_of(m, module, module_length, name, name_length);
    if (!entry) return RAISED;
    uint32_t flags = (uint32_t)PyLong_AsUnsignedLong(PyTuple_GetItem(entry, 0));
    m->names[m->name_count] = (Named){flags, entry, at};
    m->loose = m->loose || flags & UNVETTED;
    return flags & (VETTED | UNVETTED) ? machine_push(m, (Value){NAME, WHOLE, m->name_count++, 0}) : (m->name_count++, UNSURE);
}

/* the rules for arguments: rules.py says why */

static bool all_tame(const Machine *m, const Value *arguments, uint32_t count) {
    for (uint32_t each = 0; each < count; each++) {
        uint32_t parts;
        if (inside_of(m, &arguments[each], &parts) & UNTAME || parts >= WALKED) return false;
    }
    return true;
}

static bool is_plain_inside(const Machine *m, const Value *v) {
    uint32_t parts;
    return !(inside_of(m, v, &parts) & (OBJECTS | LARGE)) && parts < WALKED;
}

static bool is_long_number(const Value *v) {
    return v->kind == NUMBER && (v->form == HUGE_NUMBER || (v->form == WHOLE && v->number > SHORT_OF));
}

static bool is_countable(const Value *v) {
    return v->kind != UNSET && v->kind <= FROZEN && v->form != FRACTION && v->form != MUTABLE;
}

static bool all_countable(const Value *arguments, uint32_t count) {
    for (uint32_t each = 0; each < count; each++)
        if (!is_countable(&arguments[each])) return false;
    return true;
}

static bool is_own_random(const Machine *m, const Value *v) {
    uint32_t flags = v->kind == MADE ? m->names[m->nodes[v->at].name].flags : flags_of(m, v);
    return flags & RANDOM || is_plain_inside(m, v);
}

static bool all_own_random(const Machine *m, const Value *arguments, uint32_t count) {
    for (uint32_t each = 0; each < count; each++)
        if (!is_own_random(m, &arguments[each])) return false;
    return true;
}

static bool is_reconstructed(const Machine *m, const Value *a, uint32_t count) {
    return count == 3 && flags_of(m, &a[0]) & (NEW | STATE) && flags_of(m, &a[1]) & BASE && a[2].kind != NAME && a[2].kind != MADE;
}

static bool is_latin(const Machine *m, const Value *a, uint32_t count) {
    return count == 2 && a[0].kind == TEXT && (IS(m, &a[1], "latin1") || IS(m, &a[1], "latin-1"));
}

static bool keeps_rule(const Machine *m, uint32_t rule, const Value *a, uint32_t count) {
    switch (rule) {
    case ANYTHING: return true;
    case NO_ARGUMENTS: return !count;
    case ONE_PLAIN: return count == 1 && is_plain_inside(m, a);
    case PLAIN_VALUES: return all_tame(m, a, count);
    case PLAIN_AND_SHORT: return all_tame(m, a, count) && !(count == 1 && is_long_number(a));
    case CONTAINERS: return all_countable(a, count);
    case FACTORY: return !count || (count == 1 && (a->kind == NOTHING || flags_of(m, a) & (MADE_OF | CLASS)));
    case RECONSTRUCTOR: return is_reconstructed(m, a, count);
    case NEW_OBJECT: return count && flags_of(m, a) & NEW;
    case LATIN: return is_latin(m, a, count);
    case ARRAY_FIRST: return count && flags_of(m, a) & TABLES && all_tame(m, a + 1, count - 1);
    case GENERATOR: return all_own_random(m, a, count);
    case CLASS_FIRST: return count && flags_of(m, a) & CLASS && all_tame(m, a + 1, count - 1);
    default: return false;
    }
}

/* Whether what a call gives is numbers, texts, dates or tables; numpy hands objects through its arrays. */
static bool is_data(const Machine *m, uint32_t flags, const Value *a, uint32_t count) {
    if (flags & ARRAY && count == 2) return a[1].kind != MADE || m->nodes[a[1].at].data;
    return flags & DATA;
}

/* REDUCE and NEWOBJ: `use` is CALL or NEW. */
Outcome call(Machine *m, int use) {
    if (m->depth - fence(m) < 2) return BREAKS;
    const Value callee = m->stack[m->depth - 2], arguments = m->stack[m->depth - 1];
    uint32_t flags = flags_of(m, &callee);
    if (arguments.kind != TUPLE || !(flags & VETTED) || !(flags & (uint32_t)use)) return UNSURE;
    uint32_t first = m->nodes[arguments.at].first, count = m->nodes[arguments.at].count;
    if (count > MOST_ARGUMENTS) return UNSURE;
    const Value *a = m->items + (count ? first : 0);
    if ((use == CALL || count) && !keeps_rule(m, flags >> RULE_SHIFT, a, count)) return UNSURE;
    m->depth -= 2;
    Node *made;
    if (machine_node(m, MADE, &made) != GOES_ON) return RAISED;
    made->name = callee.at;
    made->cls = flags & MAKER && count && a[0].kind == NAME ? a[0].at : callee.at;
    made->first = first;
    made->count = count;
    made->data = is_data(m, flags, a, count);
    return GOES_ON;
}

Outcome build(Machine *m) {
    if (m->depth - fence(m) < 2) return hold(m, m->stack + fence(m), m->depth - fence(m)) == GOES_ON ? BREAKS : UNSURE;
    const Value target = m->stack[m->depth - 2], state = m->stack[m->depth - 1];
    if (target.kind != MADE || hold(m, &state, 1) != GOES_ON) return UNSURE;
    Node *node = &m->nodes[target.at];
    uint32_t cls = m->names[node->cls].flags;
    if (node->built || !(cls & VETTED) || !(cls & STATE)) return UNSURE;
    m->depth--;
    node->built = true;
    node->state = state;
    node->type = is_type(m, node);
    return m->with_arrays && m->names[node->name].flags & WRAPPER ? skip_array(m, node) : GOES_ON;
}

/* persistent ids */

static PyObject *as_python(const Machine *m, const Value *v) {
    if (v->kind == NOTHING) { Py_INCREF(Py_None); return Py_None; }
    if (v->kind == TEXT && v->form == WHOLE && v->number <= KEPT) return PyUnicode_DecodeASCII((const char *)m->data + v->at, (Py_ssize_t)v->number, NULL);
    if (v->kind == NUMBER && v->form == TRUTH) return PyBool_FromLong((long)v->number);
    if (is_whole(v)) return PyLong_FromLongLong(v->number);
    if (v->kind == NAME) { PyObject *name = PyTuple_GetItem(m->names[v->at].entry, 2); Py_XINCREF(name); return name; }
    PyErr_SetString(PyExc_ValueError, "no plain value");
    return NULL;
}

static PyObject *id_of(const Machine *m, const Value *about) {
    const Node *node = &m->nodes[about->at];
    PyObject *id = PyTuple_New((Py_ssize_t)node->count);
    for (uint32_t each = 0; id && each < node->count; each++) {
        PyObject *part = as_python(m, &m->items[node->first + each]);
        if (!part || PyTuple_SetItem(id, (Py_ssize_t)each, part)) Py_CLEAR(id);
    }
    return id;
}

/* BINPERSID, as the loader at hand answers it: with no objection and with nothing of its own. */
Outcome outside(Machine *m) {
    if (m->depth <= fence(m)) return BREAKS;
    const Value about = m->stack[m->depth - 1];
    if (about.kind != TUPLE || m->nodes[about.at].count > 8 || m->persistent == Py_None) return UNSURE;
    PyObject *id = id_of(m, &about);
    if (!id) { bool odd = PyErr_ExceptionMatches(PyExc_ValueError); if (odd) PyErr_Clear(); return odd ? UNSURE : RAISED; }
    PyObject *answer = PyObject_CallFunctionObjArgs(m->persistent, id, NULL);
    Py_DECREF(id);
    if (!answer) return RAISED;
    bool fine = PyTuple_Check(answer) && PyTuple_Size(answer) == 2 && !PyObject_IsTrue(PyTuple_GetItem(answer, 0)) && PyTuple_GetItem(answer, 1) == Py_None;
    Py_DECREF(answer);
    m->depth--;
    return fine ? machine_push(m, (Value){OUTSIDE, WHOLE, 0, 0}) : UNSURE;
}
