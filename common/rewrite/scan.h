/* Looks at eight bytes at once, for what is mostly found within a few: names, and values between quotes. */
#ifndef REWRITE_SCAN_H
#define REWRITE_SCAN_H

#include "base/view.h"

#define SCAN_ONES UINT64_C(0x0101010101010101)
#define SCAN_TOPS UINT64_C(0x8080808080808080)

/* Eight bytes, the first of them lowest. */
static inline uint64_t scan_load(const char *at) {
    uint64_t word;
    memcpy(&word, at, sizeof(word));
    return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? word : __builtin_bswap64(word);
}
static inline void scan_store(char *at, uint64_t word) {
    if (__BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__) word = __builtin_bswap64(word);
    memcpy(at, &word, sizeof(word));
}

/* Marks of bytes in a word, as their top bits. Of several marks only the lowest is sure. */
static inline uint64_t scan_below(uint64_t word, unsigned char limit) { /* at most 0x80 */
    return (word - SCAN_ONES * limit) & ~word & SCAN_TOPS;
}
static inline uint64_t scan_equal(uint64_t word, char byte) {
    return scan_below(word ^ (SCAN_ONES * (unsigned char)byte), 1);
}

/* How many bytes stand before the lowest mark; of no marks: nothing that counts. */
static inline unsigned scan_first(uint64_t marks) {
    return (unsigned)__builtin_ctzll(marks) / 8;
}

/* A to Z become a to z. */
static inline uint64_t scan_lower(uint64_t word) {
    uint64_t low = word & ~SCAN_TOPS;
    uint64_t from_a = low + SCAN_ONES * (0x80 - 'A'), beyond_z = low + SCAN_ONES * (0x7f - 'Z');
    return word | ((from_a & ~beyond_z & ~word & SCAN_TOPS) >> 2);
}

/* memchr() for what is likely near. */
static inline const char *scan_find(const char *at, char byte, const char *end) {
    for (int i = 0; i < 2 && end - at >= 8; i++, at += 8) {
        uint64_t marks = scan_equal(scan_load(at), byte);
        if (marks) return at + scan_first(marks);
    }
    return memchr(at, byte, (size_t)(end - at));
}

#endif
