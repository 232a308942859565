/* Whether narrow floats are what the wide ones round to: half precision and bfloat16 of single precision, to the nearest
   and then to even (IEEE 754, 4.3.1). Bytes are little-endian, as files and the machines that read them are. */
#include "tree.h"

#include <string.h>

static bool is_nan16(uint16_t h, bool brain) { return brain ? (h & 0x7FFF) > 0x7F80 : (h & 0x7FFF) > 0x7C00; }

static uint16_t brain_of(uint32_t x) { return (uint16_t)((x + 0x7FFF + (x >> 16 & 1)) >> 16); }

static uint16_t half_of(uint32_t x) {
    uint16_t sign = (uint16_t)(x >> 16 & 0x8000);
    uint32_t a = x & 0x7FFFFFFF, h;
    if (a >= 0x38800000) {                        /* 2^-14 and more: a normal number, or too large for one */
        uint32_t moved = a - 0x38000000;
        h = (moved + 0xFFF + (moved >> 13 & 1)) >> 13;
        if (h > 0x7C00) h = 0x7C00;
    } else if (a <= 0x33000000) {                 /* 2^-25 and less: nothing is nearer than zero */
        h = 0;
    } else {
        uint32_t shift = 126 - (a >> 23), whole = (a & 0x7FFFFF) | 0x800000;
        uint32_t rest = whole & ((1u << shift) - 1), middle = 1u << (shift - 1);
        h = whole >> shift;
        h += rest > middle || (rest == middle && (h & 1));
    }
    return sign | (uint16_t)h;
}

bool is_cast(const unsigned char *wide, const unsigned char *narrow, size_t count, bool brain) {
    for (size_t i = 0; i < count; i++) {
        uint32_t x;
        uint16_t h;
        memcpy(&x, wide + 4 * i, 4);
        memcpy(&h, narrow + 2 * i, 2);
        if ((x & 0x7FFFFFFF) > 0x7F800000) { if (!is_nan16(h, brain)) return false; continue; }
        if (h != (brain ? brain_of(x) : half_of(x))) return false;
    }
    return true;
}
