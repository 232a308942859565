/* The elements that joblib writes behind the state of an array: arrays.py says how. Only what is told in the plainest
 * way is skipped here. */
#include "plain.h"

enum { DTYPE_STATE = 8, ELEMENT_SIZE = 5, FLAGS = 7, REFERENCES = 1 };

static bool all_leaves(const Machine *m, uint32_t first, uint32_t count) {
    for (uint32_t each = 0; each < count; each++)
        if (!is_leaf(&m->items[first + each])) return false;
    return true;
}

/* Bytes of one element by the name of its type, `<f8`; 0 for types that are told otherwise. */
static uint64_t element_size(const Machine *m, const Value *name) {
    if (name->kind != TEXT || name->form != WHOLE || name->number < 2 || name->number > 4) return 0;
    const unsigned char *text = m->data + name->at, *end = text + name->number;
    if (memchr("<>=|", *text, 4)) text++;
    if (text == end || !memchr("biufc", *text++, 5) || text == end) return 0;
    uint64_t size = 0;
    for (; text < end; text++) {
        if (*text < '0' || *text > '9') return 0;
        size = 10 * size + (uint64_t)(*text - '0');
    }
    return size;
}

static bool is_simple_state(const Machine *m, const Value *state) {
    if (state->kind != TUPLE) return false;
    const Node *node = &m->nodes[state->at];
    if (node->count != DTYPE_STATE || !all_leaves(m, node->first, node->count)) return false;
    const Value *told = m->items + node->first;
    return is_whole(&told[0]) && (told[0].number == 3 || told[0].number == 4) && is_whole(&told[ELEMENT_SIZE])
        && is_whole(&told[FLAGS]) && !(told[FLAGS].number & REFERENCES);
}

static uint64_t size_of(const Machine *m, const Value *dtype) {
    if (dtype->kind != MADE) return 0;
    const Node *node = &m->nodes[dtype->at];
    if (!(m->names[node->name].flags & NUMPY_DTYPE) || !node->count || !all_leaves(m, node->first, node->count)) return 0;
    if (node->built && !is_simple_state(m, &node->state)) return 0;
    return element_size(m, &m->items[node->first]);
}

/* Bytes of all elements; false where that is not told plainly, or is more than there is. */
static bool bytes_of(const Machine *m, const Node *state, uint64_t *bytes) {
    *bytes = size_of(m, &state->told[DTYPE]);
    const Value *shape = &state->told[SHAPE];
    if (!*bytes || shape->kind != TUPLE) return false;
    const Node *node = &m->nodes[shape->at];
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
