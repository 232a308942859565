/* A pickle machine for plain streams: it holds what kinds of values there are, never the values, and runs nothing.
 *
 * It answers one question: would modelyard's machine (running.py, judge.py) find nothing at all in this stream? Where it
 * cannot tell it says so, and that machine follows the stream. Facts of the format stand there, with their sources. */
#ifndef MODELYARD_PLAIN_H
#define MODELYARD_PLAIN_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define KEPT 1024       /* bytes: longer texts are no names (stream.py) */
#define HELD 1024       /* items of a container that are kept (values.py) */
#define WALKED 10000    /* values that a rule looks at (values.py) */
#define DIGITS 100      /* longer numbers are not worked out (data.py) */
#define SHORT_OF 16777216 /* items that a number alone may ask for (rules.py) */
#define MOST_STEPS (1u << 20)
#define MOST_NAMES 4096u
#define MOST_ARGUMENTS 1000u /* they are looked at again in every call that is given them */
#define MOST_SIDES 64u
#define AHEAD 255u      /* how far beyond the memo a place may lie */

/* How a step ends. BREAKS: modelyard's machine halts there too. UNSURE: let that one follow it. RAISED: out of memory
 * or an exception of a call into Python. */
typedef enum { GOES_ON, ENDS, BREAKS, UNSURE, RAISED } Outcome;

typedef enum { UNSET, NOTHING, NUMBER, TEXT, BYTES, TUPLE, LIST, DICT, SET, FROZEN, NAME, MADE, OUTSIDE } Kind;
/* Of numbers, bytes and texts. ESCAPED: what stands there is not the text itself. */
typedef enum { WHOLE, TRUTH, FRACTION, HUGE_NUMBER, MUTABLE, ESCAPED } Form;

/* `at`: the offset of a text, the row of a name, or the row of a node. `number`: a whole number, or bytes of a text. */
typedef struct { uint8_t kind, form; uint32_t at; int64_t number; } Value;

/* What lies inside a container at any depth. ODD: anything but plain data and types of numbers. */
enum { OBJECTS = 1, UNTAME = 2, LARGE = 4, ODD = 8 };

/* What the state of a joblib array is asked for. */
enum { DTYPE, SHAPE, ALIGNMENT, TOLD };

/* A container or what a call gives. `parts` counts it with all that lies inside, at most UINT32_MAX / 2. */
typedef struct {
    uint32_t parts, count;
    uint8_t inside;
    bool held;  /* something else holds it: what that knows of its inside must stay true */
    bool built; /* it was given a state */
    bool data;  /* numbers, texts, dates or tables */
    bool type;  /* a type of numpy whose elements are no objects, and its state is told */
    uint32_t first, name, cls; /* of a tuple its first item; of what was made the callee, its class, its arguments */
    Value state;
    Value told[TOLD];
} Node;

/* What the policy says of a name, one bit each; plain.py sets them. The rule stands above them. */
enum {
    VETTED = 1 << 0, GUARDED = 1 << 1, CALL = 1 << 2, NEW = 1 << 3, STATE = 1 << 4, TAME = 1 << 5, CLASS = 1 << 6,
    APPEND = 1 << 7, ITEMS = 1 << 8, ADD = 1 << 9, DATA = 1 << 10, ARRAY = 1 << 11, MAKER = 1 << 12, PASSIVE = 1 << 13,
    BASE = 1 << 14, TABLES = 1 << 15, RANDOM = 1 << 16, MADE_OF = 1 << 17, WRAPPER = 1 << 18, NUMPY_DTYPE = 1 << 19,
    UNVETTED = 1 << 20, RULE_SHIFT = 24
};
typedef enum {
    NO_RULE, ANYTHING, NO_ARGUMENTS, ONE_PLAIN, PLAIN_VALUES, PLAIN_AND_SHORT, CONTAINERS, FACTORY, RECONSTRUCTOR,
    NEW_OBJECT, LATIN, ARRAY_FIRST, GENERATOR, CLASS_FIRST
} Rule;

typedef struct { uint32_t flags; PyObject *entry; Py_ssize_t at; } Named;

typedef struct {
    const unsigned char *data;
    Py_ssize_t size, at, frame; /* frame: where it ends, 0 for none */
    Value *stack, *memo, *items;
    uint32_t *marks;
    Node *nodes;
    Named *names;
    uint32_t depth, kept, item_count, mark_count, node_count, name_count;
    uint32_t stack_room, memo_room, item_room, mark_room, node_room, name_room;
    uint32_t remembered; /* places of the memo that are taken */
    uint32_t arrays;
    int protocol;
    bool loose;       /* it asks for what is only let pass where the stream breaks: it is no pickle then */
    bool counting;    /* it puts values where the memo ends: where that is depends on the stream before */
    bool whole;       /* nothing comes behind the data */
    bool with_arrays; /* the elements behind joblib's arrays are skipped */
    PyObject *known, *ask, *persistent;
} Machine;

Outcome machine_follow(Machine *m);

/* machine.c, for the others */
bool machine_room(void **list, uint32_t *room, uint32_t used, size_t each);
Outcome machine_push(Machine *m, Value value);
Outcome machine_node(Machine *m, Kind kind, Node **made); /* pushes it */
static inline uint32_t fence(const Machine *m) { return m->mark_count ? m->marks[m->mark_count - 1] : 0; }
static inline bool is_text(const Machine *m, const Value *v, const char *text, size_t length) {
    return v->kind == TEXT && v->form == WHOLE && v->number == (int64_t)length && !memcmp(m->data + v->at, text, length);
}
#define IS(m, v, text) is_text(m, v, text, sizeof(text) - 1)
static inline bool is_whole(const Value *v) { return v->kind == NUMBER && v->form == WHOLE; }
static inline bool is_leaf(const Value *v) { return v->kind >= NOTHING && v->kind <= BYTES; }

/* holding.c */
Outcome hold(Machine *m, const Value *values, uint32_t count);
Outcome add_inside(Machine *m, Node *node, const Value *values, uint32_t count);
uint8_t inside_of(const Machine *m, const Value *v, uint32_t *parts);
Outcome put_in(Machine *m, uint32_t count, int use);
Outcome check_pairs(const Machine *m, const Value *pairs, uint32_t count, Node *node);

/* acting.c */
Outcome name_at(Machine *m, Py_ssize_t module, uint32_t module_length, Py_ssize_t name, uint32_t name_length, Py_ssize_t at);
Outcome call(Machine *m, int use);
Outcome build(Machine *m);
Outcome outside(Machine *m);

/* arrays.c */
bool is_type(const Machine *m, const Node *dtype);
Outcome skip_array(Machine *m, const Node *wrapper);

#endif
