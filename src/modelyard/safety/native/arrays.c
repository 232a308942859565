/* The elements that joblib writes behind the state of an array: arrays.py says how. Only what is told in the plainest
 * way is skipped here. */
#include "plain.h"

enum { DTYPE_STATE = 8, ELEMENT_SIZE = 5, FLAGS = 7, REFERENCES = 1 };

static bool all_leaves(const Machine *m, uint32_t first, uint32_t count) {
    for (uint32_t each = 0; each < count; each++)
        if (!is_leaf(&m->items[first + each])) return false;
    return true;
}

/* The kind of a type by its name, `<f8` or `V64`, and the number behind it; 0 for names that are told otherwise. */
static unsigned char kind_of(const Machine *m, const Node *dtype, uint64_t *number) {
    if (!(m->names[dtype->name].flags & NUMPY_DTYPE) || !dtype->count || !all_leaves(m, dtype->first, dtype->count)) return 0;
    const Value *name = &m->items[dtype->first];
    if (name->kind != TEXT || name->form != WHOLE || name->number < 2 || name->number > 8) return 0;
    const unsigned char *text = m->data + name->at, *end = text + name->number;
    if (memchr("<>=|", *text, 4)) text++;
    unsigned char kind = *text++;
    if (text == end || !memchr("biufcSUV", kind, 8)) return 0;
    for (*number = 0; text < end; text++) {
        if (*text < '0' || *text > '9') return 0;
        *number = 10 * *number + (uint64_t)(*text - '0');
    }
    return kind;
}

/* The state of a type as numpy writes it; NULL for another one, and for one with references. */
static const Value *told_of(const Machine *m, const Value *state) {
    uint32_t parts;
    if (state->kind != TUPLE || m->nodes[state->at].count != DTYPE_STATE) return NULL;
    if (inside_of(m, state, &parts) & (ODD | LARGE) || parts >= WALKED) return NULL;
    const Value *told = m->items + m->nodes[state->at].first;
    bool plain = is_whole(&told[0]) && (told[0].number == 3 || told[0].number == 4) && is_whole(&told[ELEMENT_SIZE])
              && is_whole(&told[FLAGS]) && !(told[FLAGS].number & REFERENCES);
    return plain ? told : NULL;
}

bool is_type(const Machine *m, const Node *dtype) {
    uint64_t number;
    return kind_of(m, dtype, &number) && told_of(m, &dtype->state);
}

/* Bytes of one element; 0 for what is not told plainly. */
static uint64_t size_of(const Machine *m, const Value *dtype) {
    if (dtype->kind != MADE) return 0;
    const Node *node = &m->nodes[dtype->at];
    uint64_t number;
    unsigned char kind = kind_of(m, node, &number);
    if (!kind || (node->built && !node->type)) return 0;
    if (!memchr("SUV", kind, 3)) return number;
    const Value *told = node->built ? told_of(m, &node->state) : NULL; /* numpy lets it overrule the name */
    return told && told[ELEMENT_SIZE].number > 0 && told[ELEMENT_SIZE].number <= UINT32_MAX ? (uint64_t)told[ELEMENT_SIZE].number : 0;
}

/* Bytes of all elements; false where that is not told plainly, or is more than there is. */
static bool bytes_of(const Machine *m, const Node *state, uint64_t *bytes) {
    *bytes = size_of(m, &state->told[DTYPE]);
    const Value *shape = &state->told[SHAPE];
    if (!*bytes || shape->kind != TUPLE) return false;
    const Node *node = &m->nodes[shape->at];
    if (node->count > MOST_SIDES) return false;
    for (uint32_t each = 0; each < node->count; each++) {
        const Value *length = &m->items[node->first + each];
        if (!is_whole(length) || length->number < 0 || length->number > m->size || *bytes > UINT32_MAX) return false;
        *bytes *= (uint64_t)length->number;
    }
    return true;
}

Outcome skip_array(Machine *m, const Node *wrapper) {
    uint64_t bytes;
    if (wrapper->state.kind != DICT || m->nodes[wrapper->state.at].count >= HELD) return UNSURE;
    const Node *state = &m->nodes[wrapper->state.at];
    if (!bytes_of(m, state, &bytes) || (m->frame && m->at < m->frame)) return UNSURE;
    m->frame = 0;
    if (state->told[ALIGNMENT].kind > NOTHING) {
        if (m->at >= m->size) return UNSURE;
        bytes += 1 + (uint64_t)m->data[m->at];
    }
    if (bytes > (uint64_t)(m->size - m->at)) return UNSURE;
    m->at += (Py_ssize_t)bytes;
    m->arrays++;
    return GOES_ON;
}
