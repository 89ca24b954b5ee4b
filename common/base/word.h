/* Eight bytes at a time, as one number. */
#ifndef BASE_WORD_H
#define BASE_WORD_H

#include <stdint.h>
#include <string.h>

#define WORD_BYTES ((size_t)8)
#define WORD_EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

static inline uint64_t word_load(const char *bytes) {
    uint64_t word;
    memcpy(&word, bytes, WORD_BYTES);
    return word;
}

static inline void word_store(char *bytes, uint64_t word) {
    memcpy(bytes, &word, WORD_BYTES);
}

/* 0x80 in those that are from `first` to `last`, both below 0x80; 0 in the others. */
static inline uint64_t word_between(uint64_t word, unsigned char first, unsigned char last) {
    uint64_t low = word & WORD_EACH(0x7f);
    uint64_t from_first = low + WORD_EACH((uint64_t)0x80 - first);
    uint64_t behind_last = low + WORD_EACH((uint64_t)0x7f - last);
    return (from_first ^ behind_last) & ~word & WORD_EACH(0x80);
}

/* Marks of word_between(), each moved to the byte behind its own; that of the last byte falls out. */
static inline uint64_t word_behind(uint64_t marks) {
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    return marks >> 8;
#else
    return marks << 8;
#endif
}

/* A mark at the first byte. */
static inline uint64_t word_first(void) {
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    return UINT64_C(0x80) << 56;
#else
    return UINT64_C(0x80);
#endif
}

/* ASCII letters in lower case. */
static inline uint64_t word_lower(uint64_t word) {
    return word | word_between(word, 'A', 'Z') >> 2;
}

#endif
