/* What lies inside what: containers, and the methods of objects that take items. */
#include "plain.h"

/* What one value is to the rules, and how many values it is with all that lies inside. */
uint8_t inside_of(const Machine *m, const Value *v, uint32_t *parts) {
    *parts = 1;
    switch (v->kind) {
    case NOTHING: case NUMBER: case TEXT: case BYTES: return 0;
    case NAME: return m->names[v->at].flags & TAME ? OBJECTS | ODD : OBJECTS | ODD | UNTAME;
    case MADE: return (uint8_t)(OBJECTS | (m->nodes[v->at].data ? 0 : UNTAME) | (m->nodes[v->at].type ? 0 : ODD));
    case OUTSIDE: return OBJECTS | ODD | UNTAME;
    default: *parts = m->nodes[v->at].parts; return m->nodes[v->at].inside;
    }
}

/* Values go into another one: names that nobody may keep are for the other machine to tell. */
Outcome hold(Machine *m, const Value *values, uint32_t count) {
    for (uint32_t each = 0; each < count; each++) {
        const Value *v = &values[each];
        if (v->kind == NAME && m->names[v->at].flags & GUARDED) return UNSURE;
        if (v->kind >= LIST && v->kind <= FROZEN) m->nodes[v->at].held = true;
    }
    return GOES_ON;
}

/* Counts values that are held already as the inside of a container. */
Outcome add_inside(Machine *m, Node *node, const Value *values, uint32_t count) {
    if (count && node->held) return UNSURE; /* who holds it, perhaps itself, has counted it already */
    for (uint32_t each = 0; each < count; each++) {
        uint32_t parts;
        node->inside |= inside_of(m, &values[each], &parts);
        node->parts = node->parts + parts > UINT32_MAX / 2 ? UINT32_MAX / 2 : node->parts + parts;
    }
    node->count += count;
    if (node->count >= HELD) node->inside |= LARGE;
    return GOES_ON;
}

/* A key that a call gives may spell the name of an attribute: what can be called may not lie there. */
static bool may_hook(const Machine *m, const Value *key, const Value *value) {
    if (key->kind != MADE && key->kind != OUTSIDE) return false;
    return value->kind == NAME || (value->kind == MADE && !(m->names[m->nodes[value->at].name].flags & PASSIVE));
}

static void tell(const Machine *m, Node *node, const Value *key, const Value *value) {
    if (IS(m, key, "dtype")) node->told[DTYPE] = *value;
    else if (IS(m, key, "shape")) node->told[SHAPE] = *value;
    else if (IS(m, key, "numpy_array_alignment_bytes")) node->told[ALIGNMENT] = *value;
}

/* Keys and values in turn go into a dict, or into an object where `node` is NULL. */
Outcome check_pairs(const Machine *m, const Value *pairs, uint32_t count, Node *node) {
    for (uint32_t each = 0; each + 1 < count; each += 2) {
        bool escaped = pairs[each].kind == TEXT && pairs[each].form == ESCAPED;
        if (escaped || IS(m, &pairs[each], "__setstate__") || may_hook(m, &pairs[each], &pairs[each + 1])) return UNSURE;
        if (node) tell(m, node, &pairs[each], &pairs[each + 1]);
    }
    return GOES_ON;
}

static Outcome fill(const Machine *m, const Node *made, const Value *values, uint32_t count, int use) {
    uint32_t cls = m->names[made->cls].flags;
    if (!(cls & VETTED) || !(cls & (uint32_t)use) || made->built) return UNSURE;
    return use == ITEMS && count % 2 ? UNSURE : use == ITEMS ? check_pairs(m, values, count, NULL) : GOES_ON;
}

/* Puts the last `count` values into the one below them. */
Outcome put_in(Machine *m, uint32_t count, int use) {
    if (m->depth - fence(m) <= count) return BREAKS;
    const Value *values = m->stack + m->depth - count, *target = values - 1;
    Node *node = target->kind >= TUPLE && target->kind <= MADE && target->kind != NAME ? &m->nodes[target->at] : NULL;
    Outcome done = UNSURE;
    if (hold(m, values, count) != GOES_ON) return UNSURE;
    if (node && target->kind == MADE) done = fill(m, node, values, count, use);
    else if (target->kind == LIST && use == APPEND) done = add_inside(m, node, values, count);
    else if (target->kind == SET && use == ADD) done = add_inside(m, node, values, count);
    else if (target->kind == DICT && use == ITEMS && count % 2) done = BREAKS;
    else if (target->kind == DICT && use == ITEMS && check_pairs(m, values, count, node) == GOES_ON) done = add_inside(m, node, values, count);
    m->depth -= count;
    return done;
}
