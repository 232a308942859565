/* The instructions that push data, handle marks and the memo, and lay out the stream. */
#include "plain.h"

#include <stdlib.h>

#define TRY(what) do { Outcome tried = (what); if (tried != GOES_ON) return tried; } while (0)

bool machine_room(void **list, uint32_t *room, uint32_t used, size_t each) {
    if (used < *room) return true;
    uint32_t more = *room ? 2 * *room : 64;
    while (more <= used) more *= 2;
    void *moved = realloc(*list, more * each);
    if (!moved) { PyErr_NoMemory(); return false; }
    *list = moved;
    *room = more;
    return true;
}

Outcome machine_push(Machine *m, Value value) {
    if (!machine_room((void **)&m->stack, &m->stack_room, m->depth, sizeof *m->stack)) return RAISED;
    m->stack[m->depth++] = value;
    return GOES_ON;
}

static Outcome push(Machine *m, Kind kind, Form form, Py_ssize_t at, int64_t number) {
    return machine_push(m, (Value){(uint8_t)kind, (uint8_t)form, (uint32_t)at, number});
}

Outcome machine_node(Machine *m, Kind kind, Node **made) {
    if (!machine_room((void **)&m->nodes, &m->node_room, m->node_count, sizeof *m->nodes)) return RAISED;
    *made = &m->nodes[m->node_count];
    memset(*made, 0, sizeof **made);
    (*made)->parts = 1;
    return push(m, kind, WHOLE, m->node_count++, 0);
}

/* The next `count` bytes, which lie in one frame or in none. */
static Outcome take(Machine *m, uint64_t count, Py_ssize_t *where) {
    if (m->frame && m->at >= m->frame) m->frame = 0;
    Py_ssize_t end = m->frame ? m->frame : m->size;
    if (count > (uint64_t)(end - m->at)) return m->frame || !m->whole ? UNSURE : BREAKS;
    *where = m->at;
    m->at += (Py_ssize_t)count;
    return GOES_ON;
}

static Outcome take_number(Machine *m, int bytes, uint64_t *number) {
    Py_ssize_t where;
    TRY(take(m, (uint64_t)bytes, &where));
    *number = 0;
    for (int each = 0; each < bytes; each++) *number |= (uint64_t)m->data[where + each] << 8 * each;
    return GOES_ON;
}

/* The length in front of a text: `signed_four` for the old types. */
static Outcome take_length(Machine *m, int bytes, bool is_signed, uint64_t *length) {
    TRY(take_number(m, bytes, length));
    return is_signed && *length >> 31 ? BREAKS : GOES_ON;
}

static Outcome take_line(Machine *m, Py_ssize_t *where, uint32_t *length) {
    if (m->frame && m->at >= m->frame) m->frame = 0;
    Py_ssize_t left = (m->frame ? m->frame : m->size) - m->at;
    if (left > KEPT + 1) left = KEPT + 1;
    const unsigned char *begin = m->data + m->at, *end = left > 0 ? memchr(begin, '\n', (size_t)left) : NULL;
    if (!end) return UNSURE;
    *where = m->at;
    *length = (uint32_t)(end - begin);
    m->at += *length + 1;
    return GOES_ON;
}

static bool is_ascii(const unsigned char *text, size_t length) {
    uint64_t eight, high = 0;
    for (; length >= 8; text += 8, length -= 8) { memcpy(&eight, text, 8); high |= eight; }
    while (length--) high |= *text++;
    return !(high & UINT64_C(0x8080808080808080));
}

static Outcome text(Machine *m, int bytes) {
    uint64_t length;
    Py_ssize_t where;
    TRY(take_length(m, bytes, false, &length));
    TRY(take(m, length, &where));
    const unsigned char *begin = m->data + where;
    if (length <= KEPT && !is_ascii(begin, (size_t)length)) {
        if (length > 1 && begin[0] == 0xC2 && begin[1] == 0x80) return UNSURE; /* it begins like a pickle */
        PyObject *decoded = PyUnicode_DecodeUTF8((const char *)begin, (Py_ssize_t)length, "surrogatepass");
        if (!decoded && PyErr_ExceptionMatches(PyExc_MemoryError)) return RAISED;
        if (!decoded) { PyErr_Clear(); return BREAKS; }
        Py_DECREF(decoded);
    }
    return push(m, TEXT, WHOLE, where, (int64_t)length);
}

static Outcome old_text(Machine *m, int bytes) {
    uint64_t length;
    Py_ssize_t where;
    TRY(take_length(m, bytes, bytes == 4, &length));
    TRY(take(m, length, &where));
    return push(m, TEXT, WHOLE, where, (int64_t)length);
}

static Outcome byte_string(Machine *m, int bytes, Form form) {
    uint64_t length;
    Py_ssize_t where;
    TRY(take_length(m, bytes, false, &length));
    TRY(take(m, length, &where));
    const unsigned char *begin = m->data + where;
    if (length > 1 && begin[0] == 0x80 && begin[1] <= 5) return UNSURE; /* it begins like a pickle */
    return push(m, BYTES, form, where, (int64_t)length);
}

static Outcome little_number(Machine *m, int bytes) {
    uint64_t length, number = 0;
    Py_ssize_t where;
    TRY(take_length(m, bytes, bytes == 4, &length));
    TRY(take(m, length, &where));
    if (length > 8) return push(m, NUMBER, HUGE_NUMBER, where, 0);
    for (uint64_t each = 0; each < length; each++) number |= (uint64_t)m->data[where + (Py_ssize_t)each] << 8 * each;
    if (length && length < 8 && m->data[where + (Py_ssize_t)length - 1] & 0x80) number |= UINT64_MAX << 8 * length;
    return push(m, NUMBER, WHOLE, where, (int64_t)number);
}

/* Whether a line has one of these letters, and no NUL, where C would end it. */
static bool has_any(const unsigned char *line, uint32_t length, const char *letters) {
    if (memchr(line, 0, length)) return false;
    for (uint32_t each = 0; each < length; each++)
        if (strchr(letters, line[each])) return true;
    return false;
}

/* Whether a line is a whole number to nobody: some letter is no digit of any base. */
static bool is_no_number(const unsigned char *line, uint32_t length) {
    return length <= DIGITS && has_any(line, length, "ghijkmnpqrstuvwyzGHIJKMNPQRSTUVWYZ");
}

/* A number as Python itself writes it. */
static Outcome digits(const unsigned char *line, uint32_t length, Value *number) {
    bool below = length && line[0] == '-';
    const unsigned char *first = line + below;
    uint32_t count = length - below;
    if (!count || count > DIGITS - 1 || (first[0] == '0' && (count > 1 || below)))
        return is_no_number(line, length) ? BREAKS : UNSURE;
    int64_t found = 0;
    for (uint32_t each = 0; each < count; each++) {
        if (first[each] < '0' || first[each] > '9') return is_no_number(line, length) ? BREAKS : UNSURE;
        if (count <= 18) found = 10 * found + (first[each] - '0');
    }
    *number = (Value){NUMBER, count <= 18 ? WHOLE : HUGE_NUMBER, 0, below ? -found : found};
    return GOES_ON;
}

static Outcome int_line(Machine *m) {
    Py_ssize_t where;
    uint32_t length;
    Value number;
    TRY(take_line(m, &where, &length));
    const unsigned char *line = m->data + where;
    if (length == 2 && line[0] == '0' && (line[1] == '0' || line[1] == '1')) return push(m, NUMBER, TRUTH, 0, line[1] - '0');
    TRY(digits(line, length, &number));
    return machine_push(m, number);
}

static Outcome long_line(Machine *m) {
    Py_ssize_t where;
    uint32_t length;
    Value number;
    TRY(take_line(m, &where, &length));
    if (length && m->data[where + length - 1] == 'L') length--;
    TRY(digits(m->data + where, length, &number));
    return machine_push(m, number);
}

static uint32_t run_of_digits(const unsigned char *line, uint32_t at, uint32_t length) {
    while (at < length && line[at] >= '0' && line[at] <= '9') at++;
    return at;
}

/* Whether a line is a number as Python writes it: 1.5, -2e-07, nan, inf. */
static bool is_float(const unsigned char *line, uint32_t length) {
    uint32_t at = length && line[0] == '-', begin = at;
    if (length - at == 3 && (!memcmp(line + at, "nan", 3) || !memcmp(line + at, "inf", 3))) return true;
    if ((at = run_of_digits(line, at, length)) == begin) return false;
    if (at < length && line[at] == '.') at = run_of_digits(line, at + 1, length);
    if (at == length) return true;
    if (line[at++] != 'e') return false;
    if (at < length && (line[at] == '-' || line[at] == '+')) at++;
    return at < length && run_of_digits(line, at, length) == length;
}

static Outcome float_line(Machine *m) {
    Py_ssize_t where;
    uint32_t length;
    TRY(take_line(m, &where, &length));
    if (is_float(m->data + where, length)) return push(m, NUMBER, FRACTION, 0, 0);
    return has_any(m->data + where, length, "bcdghjklmopqrsuvwxz") ? BREAKS : UNSURE;
}

static bool is_hex(const unsigned char *text, const unsigned char *end, int count) {
    if (end - text < count) return false;
    while (count--)
        if (!memchr("0123456789abcdefABCDEF", *text++, 22)) return false;
    return true;
}

/* Steps over what stands behind a backslash between quotes; NULL for what Python 2 does not write there. */
static const unsigned char *behind_backslash(const unsigned char *text, const unsigned char *end) {
    if (text < end && *text == 'x') return is_hex(text + 1, end, 2) ? text + 3 : NULL;
    return text < end && memchr("\\'\"nrt", *text, 6) ? text + 1 : NULL;
}

static Outcome string_line(Machine *m) {
    Py_ssize_t where;
    uint32_t length;
    TRY(take_line(m, &where, &length));
    const unsigned char *line = m->data + where, *at = line + 1, *end = line + length - 1;
    if (length < 2 || *line != *end || (*line != '\'' && *line != '"')) return BREAKS;
    while (at && at < end && (at = memchr(at, '\\', (size_t)(end - at))))
        if (!(at = behind_backslash(at + 1, end))) return UNSURE;
    return push(m, TEXT, memchr(line, '\\', length) ? ESCAPED : WHOLE, where + 1, length - 2);
}

/* Of protocol 0: \uXXXX and \UXXXXXXXX stand for letters, other backslashes for themselves. */
static Outcome unicode_line(Machine *m) {
    Py_ssize_t where;
    uint32_t length;
    Form form = WHOLE;
    TRY(take_line(m, &where, &length));
    const unsigned char *at = m->data + where, *end = at + length;
    while (at < end && (at = memchr(at, '\\', (size_t)(end - at)))) {
        unsigned char next = ++at < end ? *at++ : 0;
        if (next == 'U' || (next == 'u' && !is_hex(at, end, 4))) return UNSURE;
        if (next == 'u') form = ESCAPED;
    }
    return push(m, TEXT, form, where, length);
}

static Outcome protocol(Machine *m) {
    uint64_t found;
    TRY(take_number(m, 1, &found));
    if (found > 5) return UNSURE;
    m->protocol = (int)found;
    return GOES_ON;
}

static Outcome frame(Machine *m) {
    uint64_t length;
    TRY(take_number(m, 8, &length));
    if (length >> 63) return BREAKS;
    if (length > (uint64_t)(m->size - m->at) || (m->frame && m->at < m->frame)) return UNSURE;
    m->frame = m->at + (Py_ssize_t)length;
    return GOES_ON;
}

/* the memo */

static Outcome remember(Machine *m, uint64_t place) {
    if (m->depth <= fence(m)) return BREAKS;
    if (place > (uint64_t)m->remembered + AHEAD) return UNSURE;
    if (place >= m->kept) {
        if (!machine_room((void **)&m->memo, &m->memo_room, (uint32_t)place, sizeof *m->memo)) return RAISED;
        memset(m->memo + m->kept, 0, (place + 1 - m->kept) * sizeof *m->memo);
        m->kept = (uint32_t)place + 1;
    }
    m->remembered += m->memo[place].kind == UNSET;
    m->memo[place] = m->stack[m->depth - 1];
    return GOES_ON;
}

static Outcome recall(Machine *m, uint64_t place) {
    if (place >= m->kept || m->memo[place].kind == UNSET) return BREAKS;
    return machine_push(m, m->memo[place]);
}

static Outcome by_number(Machine *m, int bytes, Outcome (*what)(Machine *, uint64_t)) {
    uint64_t place;
    TRY(take_number(m, bytes, &place));
    return what(m, place);
}

static Outcome by_line(Machine *m, Outcome (*what)(Machine *, uint64_t)) {
    Py_ssize_t where;
    uint32_t length;
    Value place;
    TRY(take_line(m, &where, &length));
    TRY(digits(m->data + where, length, &place));
    return place.form == WHOLE && place.number >= 0 ? what(m, (uint64_t)place.number) : UNSURE;
}

/* marks and containers */

static Outcome mark(Machine *m) {
    if (!machine_room((void **)&m->marks, &m->mark_room, m->mark_count, sizeof *m->marks)) return RAISED;
    m->marks[m->mark_count++] = m->depth;
    return GOES_ON;
}

/* Takes the last mark away; `count` values above it stay on the stack for now. */
static Outcome unmark(Machine *m, uint32_t *count) {
    if (!m->mark_count) return BREAKS;
    *count = m->depth - m->marks[--m->mark_count];
    return GOES_ON;
}

static Outcome pop(Machine *m) {
    if (m->depth > fence(m)) { m->depth--; return GOES_ON; }
    return m->mark_count ? (m->mark_count--, GOES_ON) : BREAKS;
}

static Outcome pop_mark(Machine *m) {
    uint32_t count;
    TRY(unmark(m, &count));
    m->depth -= count;
    return GOES_ON;
}

/* Makes one container of the last values. They stay in place above the depth while it is made. */
static Outcome container(Machine *m, Kind kind, uint32_t count) {
    Node *node;
    if (count > m->depth - fence(m)) return BREAKS;
    uint32_t begin = m->depth - count, first = m->item_count;
    if (kind == TUPLE && count) {
        if (!machine_room((void **)&m->items, &m->item_room, first + count, sizeof *m->items)) return RAISED;
        memcpy(m->items + first, m->stack + begin, count * sizeof *m->items);
        m->item_count += count;
    }
    TRY(machine_node(m, kind, &node)); /* the stack may move */
    const Value *values = m->stack + begin;
    if (kind == DICT) {
        if (count % 2) return BREAKS;
        TRY(check_pairs(m, values, count, node));
    }
    TRY(hold(m, values, count));
    TRY(add_inside(m, node, values, count));
    node->first = first;
    m->stack[begin] = m->stack[m->depth - 1];
    m->depth = begin + 1;
    return GOES_ON;
}

static Outcome marked(Machine *m, Kind kind) {
    uint32_t count;
    TRY(unmark(m, &count));
    return container(m, kind, count);
}

static Outcome put_marked(Machine *m, int use) {
    uint32_t count;
    TRY(unmark(m, &count));
    return put_in(m, count, use);
}

/* names */

static Outcome global(Machine *m, Py_ssize_t at) {
    Py_ssize_t module, name;
    uint32_t module_length, name_length;
    TRY(take_line(m, &module, &module_length));
    TRY(take_line(m, &name, &name_length));
    if (!is_ascii(m->data + module, module_length) || !is_ascii(m->data + name, name_length)) return UNSURE;
    return name_at(m, module, module_length, name, name_length, at);
}

/* Of old classes only so much: without a mark there is nothing to make one with. */
static Outcome inst(Machine *m, Py_ssize_t at) {
    TRY(global(m, at));
    return m->mark_count ? UNSURE : BREAKS;
}

/* An id of which nobody here knows the meaning: a finding, but of no weight in what is no pickle. */
static Outcome persistent_line(Machine *m) {
    Py_ssize_t where;
    uint32_t length;
    if (m->persistent != Py_None) return UNSURE;
    TRY(take_line(m, &where, &length));
    if (!is_ascii(m->data + where, length)) return BREAKS;
    m->loose = true;
    return push(m, OUTSIDE, WHOLE, 0, 0);
}

static Outcome stack_global(Machine *m, Py_ssize_t at) {
    if (m->depth - fence(m) < 2) return BREAKS;
    const Value module = m->stack[m->depth - 2], name = m->stack[m->depth - 1];
    if (module.kind != TEXT || name.kind != TEXT || module.form != WHOLE || name.form != WHOLE || module.number > KEPT || name.number > KEPT) return UNSURE;
    const unsigned char *first = m->data + module.at, *second = m->data + name.at;
    if (!is_ascii(first, (size_t)module.number) || !is_ascii(second, (size_t)name.number)) return UNSURE;
    if (memchr(first, '\n', (size_t)module.number) || memchr(second, '\n', (size_t)name.number)) return UNSURE;
    m->depth -= 2;
    return name_at(m, module.at, (uint32_t)module.number, name.at, (uint32_t)name.number, at);
}

static Outcome stop(Machine *m) {
    if (m->depth <= fence(m)) return BREAKS;
    const Value *top = &m->stack[m->depth - 1];
    /* a huge number may be the magic one of torch's old files */
    return m->loose || (top->kind == NUMBER && top->form == HUGE_NUMBER) ? UNSURE : ENDS;
}

static Outcome number_of(Machine *m, int bytes, bool is_signed) {
    uint64_t found;
    TRY(take_number(m, bytes, &found));
    return push(m, NUMBER, WHOLE, 0, is_signed ? (int32_t)found : (int64_t)found);
}

static Outcome binary_float(Machine *m) {
    Py_ssize_t where;
    TRY(take(m, 8, &where));
    return push(m, NUMBER, FRACTION, 0, 0);
}

static Outcome double_top(Machine *m) { return m->depth > fence(m) ? machine_push(m, m->stack[m->depth - 1]) : BREAKS; }

/* Instructions that no protocol knows break every machine; those that only this one does not know do not. */
static Outcome unheard_of(unsigned char code) {
    return code && strchr("o\x82\x83\x84\x92\x97\x98", code) ? UNSURE : BREAKS;
}

static Outcome data_step(Machine *m, unsigned char code) {
    switch (code) {
    case 'N': return push(m, NOTHING, WHOLE, 0, 0);
    case 0x88: return push(m, NUMBER, TRUTH, 0, 1);
    case 0x89: return push(m, NUMBER, TRUTH, 0, 0);
    case 'K': return number_of(m, 1, false);
    case 'M': return number_of(m, 2, false);
    case 'J': return number_of(m, 4, true);
    case 'G': return binary_float(m);
    case 'I': return int_line(m);
    case 'L': return long_line(m);
    case 'F': return float_line(m);
    case 0x8a: return little_number(m, 1);
    case 0x8b: return little_number(m, 4);
    case 'S': return string_line(m);
    case 'V': return unicode_line(m);
    case 'U': return old_text(m, 1);
    case 'T': return old_text(m, 4);
    case 0x8c: return text(m, 1);
    case 'X': return text(m, 4);
    case 0x8d: return text(m, 8);
    case 'C': return byte_string(m, 1, WHOLE);
    case 'B': return byte_string(m, 4, WHOLE);
    case 0x8e: return byte_string(m, 8, WHOLE);
    case 0x96: return byte_string(m, 8, MUTABLE);
    case 0x80: return protocol(m);
    case 0x95: return frame(m);
    default: return unheard_of(code);
    }
}

static Outcome step(Machine *m, unsigned char code) {
    switch (code) {
    case 'q': return by_number(m, 1, remember);
    case 'r': return by_number(m, 4, remember);
    case 'p': return by_line(m, remember);
    case 0x94: m->counting = true; return remember(m, m->remembered);
    case 'h': return by_number(m, 1, recall);
    case 'j': return by_number(m, 4, recall);
    case 'g': return by_line(m, recall);
    case '(': return mark(m);
    case '0': return pop(m);
    case '1': return pop_mark(m);
    case '2': return double_top(m);
    case ')': return container(m, TUPLE, 0);
    case 0x85: return container(m, TUPLE, 1);
    case 0x86: return container(m, TUPLE, 2);
    case 0x87: return container(m, TUPLE, 3);
    case 't': return marked(m, TUPLE);
    case ']': return container(m, LIST, 0);
    case 'l': return marked(m, LIST);
    case '}': return container(m, DICT, 0);
    case 'd': return marked(m, DICT);
    case 0x8f: return container(m, SET, 0);
    case 0x91: return marked(m, FROZEN);
    case 'a': return m->depth - fence(m) > 1 ? put_in(m, 1, APPEND) : BREAKS;
    case 'e': return put_marked(m, APPEND);
    case 's': return m->depth - fence(m) > 2 ? put_in(m, 2, ITEMS) : BREAKS;
    case 'u': return put_marked(m, ITEMS);
    case 0x90: return put_marked(m, ADD);
    case 'c': return global(m, m->at - 1);
    case 'i': return inst(m, m->at - 1);
    case 0x93: return stack_global(m, m->at - 1);
    case 'R': return call(m, CALL);
    case 0x81: return call(m, NEW);
    case 'b': return build(m);
    case 'P': return persistent_line(m);
    case 'Q': return outside(m);
    case '.': return stop(m);
    default: return data_step(m, code);
    }
}

Outcome machine_follow(Machine *m) {
    for (uint32_t steps = 0; steps < MOST_STEPS; steps++) {
        Py_ssize_t where;
        TRY(take(m, 1, &where));
        TRY(step(m, m->data[where]));
    }
    return UNSURE;
}
