/* Floats rounded to 16 bits, to the nearest and to even in the middle (IEEE 754, 4.3.1), and the proof of it.
   Every kind fits into a float of 64 bits, from which it is rounded once. Bytes are little-endian, as files and the
   machines that read them are. Limited API of CPython 3.11. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* Bytes, bits of the fraction, the least and the greatest exponent of a number that is not denormal. */
typedef struct { const char *name; int width, fraction, least, greatest; } Kind;
static const Kind F64 = {"F64", 8, 52, -1022, 1023}, F32 = {"F32", 4, 23, -126, 127};
static const Kind F16 = {"F16", 2, 10, -14, 15}, BF16 = {"BF16", 2, 7, -126, 127};
static const Kind *const KINDS[] = {&F64, &F32, &F16, &BF16};

#define SIGN (1ull << 63)
#define FRACTION ((1ull << 52) - 1)
#define INFINITE (0x7FFull << 52)
#define PART 512 /* numbers that are worked on at once: they stay in the nearest cache */

typedef struct { double largest; Py_ssize_t overflowed, wrong; } Compared;

static double double_of(uint64_t bits) { double found; memcpy(&found, &bits, 8); return found; }
static uint64_t bits_of(double x) { uint64_t found; memcpy(&found, &x, 8); return found; }
static float float_of(uint32_t bits) { float found; memcpy(&found, &bits, 4); return found; }

/* The bits of a half, moved, are those of a float that is 2^112 times smaller, denormal or not. */
static double half_of(uint16_t half) {
    uint32_t sign = (uint32_t)(half & 0x8000) << 16, rest = (uint32_t)(half & 0x7FFF) << 13;
    return rest < 0xF800000 ? float_of(sign | rest) * 0x1p112 : float_of(sign | rest | 0x7F800000);
}

static void widen(const unsigned char *data, const Kind *kind, size_t count, double *wide) {
    float single[PART];
    uint16_t brief[PART];
    if (kind == &F64) {
        memcpy(wide, data, 8 * count);
    } else if (kind == &F32) {
        memcpy(single, data, 4 * count);
        for (size_t i = 0; i < count; i++) wide[i] = single[i];
    } else {
        memcpy(brief, data, 2 * count);
        if (kind == &F16) for (size_t i = 0; i < count; i++) wide[i] = half_of(brief[i]);
        else for (size_t i = 0; i < count; i++) wide[i] = float_of((uint32_t)brief[i] << 16);
    }
}

static uint64_t shortened(uint64_t bits, int lost) {
    return (bits + (1ull << (lost - 1)) - 1 + (bits >> lost & 1)) >> lost;
}

/* The nearest number. Not-a-number keeps its sign and the upper bits of its fraction, and is quiet. */
static inline uint16_t narrow(uint64_t bits, const Kind *to) {
    uint64_t size = bits & ~SIGN, infinite = (uint64_t)(to->greatest - to->least + 2) << to->fraction, found;
    int exponent = (int)(size >> 52) - 1023, lost = 52 - to->fraction;
    if (size > INFINITE) {
        found = infinite | (size & FRACTION) >> lost | 1ull << (to->fraction - 1);
    } else if (exponent >= to->least) { /* what is carried out of the fraction raises the exponent, up to the infinite */
        found = shortened(size, lost) - ((uint64_t)(to->least + 1022) << to->fraction);
        if (found > infinite) found = infinite;
    } else {
        lost += to->least - exponent;
        found = lost > 53 ? 0 : shortened((size & FRACTION) | 1ull << 52, lost); /* 0: less than half of the smallest */
    }
    return (uint16_t)(bits >> 48 & 0x8000) | (uint16_t)found;
}

/* Whether every result lies within half a unit in its last place of what it was made from: by arithmetic, which holds
   both and their difference exactly enough, and which shares nothing with the rounding. */
static void compare(const double *before, const double *after, size_t count, const Kind *to, Compared *found) {
    double scale = ldexp(0.5, -to->fraction), least = ldexp(scale, to->least);
    double limit = ldexp(2.0 - scale, to->greatest);
    for (size_t i = 0; i < count; i++) {
        double apart = fabs(before[i] - after[i]), half = double_of(bits_of(after[i]) & INFINITE) * scale;
        bool same_sign = !((bits_of(before[i]) ^ bits_of(after[i])) & SIGN);
        if (same_sign && isfinite(after[i]) && apart <= (half > least ? half : least)) {
            if (apart > found->largest) found->largest = apart;
        } else if (same_sign && isinf(after[i]) && fabs(before[i]) >= limit) {
            found->overflowed += !isinf(before[i]);
        } else if (!isnan(before[i]) || !isnan(after[i])) {
            found->wrong++;
        }
    }
}

static const Kind *kind_of(const char *name) {
    for (size_t i = 0; i < sizeof KINDS / sizeof *KINDS; i++) if (!strcmp(KINDS[i]->name, name)) return KINDS[i];
    PyErr_Format(PyExc_ValueError, "%s is no float", name);
    return NULL;
}

static void round_all(const unsigned char *data, const Kind *from, const Kind *to, size_t count, unsigned char *result) {
    double wide[PART];
    uint16_t made[PART];
    for (size_t at = 0; at < count; at += PART) {
        size_t some = count - at < PART ? count - at : PART;
        widen(data + at * from->width, from, some, wide);
        if (to == &F16) for (size_t i = 0; i < some; i++) made[i] = narrow(bits_of(wide[i]), &F16);
        else for (size_t i = 0; i < some; i++) made[i] = narrow(bits_of(wide[i]), &BF16);
        memcpy(result + 2 * at, made, 2 * some);
    }
}

static PyObject *rounded(PyObject *module, PyObject *args) {
    (void)module;
    Py_buffer data;
    const char *from_name, *to_name;
    if (!PyArg_ParseTuple(args, "y*ss", &data, &from_name, &to_name)) return NULL;
    const Kind *from = kind_of(from_name), *to = from ? kind_of(to_name) : NULL;
    Py_ssize_t count = from ? data.len / from->width : 0;
    PyObject *result = to ? PyBytes_FromStringAndSize(NULL, 2 * count) : NULL;
    if (result) {
        unsigned char *room = (unsigned char *)PyBytes_AsString(result);
        Py_BEGIN_ALLOW_THREADS
        round_all(data.buf, from, to, (size_t)count, room);
        Py_END_ALLOW_THREADS
    }
    PyBuffer_Release(&data);
    return result;
}

static void compare_all(const unsigned char *data, const Kind *from, const unsigned char *result, const Kind *to, size_t count, Compared *found) {
    double before[PART], after[PART];
    for (size_t at = 0; at < count; at += PART) {
        size_t some = count - at < PART ? count - at : PART;
        widen(data + at * from->width, from, some, before);
        widen(result + 2 * at, to, some, after);
        compare(before, after, some, to, found);
    }
}

static PyObject *compared(PyObject *module, PyObject *args) {
    (void)module;
    Py_buffer data, result;
    const char *from_name, *to_name;
    if (!PyArg_ParseTuple(args, "y*sy*s", &data, &from_name, &result, &to_name)) return NULL;
    const Kind *from = kind_of(from_name), *to = from ? kind_of(to_name) : NULL;
    Compared found = {0, 0, 0};
    if (to && data.len / from->width != result.len / 2) PyErr_SetString(PyExc_ValueError, "not as many numbers as results");
    else if (to) {
        Py_BEGIN_ALLOW_THREADS
        compare_all(data.buf, from, result.buf, to, (size_t)result.len / 2, &found);
        Py_END_ALLOW_THREADS
    }
    PyBuffer_Release(&data);
    PyBuffer_Release(&result);
    return PyErr_Occurred() ? NULL : Py_BuildValue("(dnn)", found.largest, found.overflowed, found.wrong);
}

static PyMethodDef functions[] = {
    {"rounded", rounded, METH_VARARGS, "rounded(data, dtype, target) -> the nearest F16 or BF16 of each number."},
    {"compared", compared, METH_VARARGS, "compared(data, dtype, result, target) -> (largest, overflowed, wrong)"},
    {NULL, NULL, 0, NULL},
};
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "_rounding", "Rounds floats to 16 bits.", -1, functions, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__rounding(void) { return PyModule_Create(&definition); }
