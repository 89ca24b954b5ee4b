/* The growing buffer. Bytes are moved to the front only when at least a quarter of the memory is waste, so
 * that consuming and appending in turn stays linear. */
#include "base/buf.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/quick.h"

#define FIRST_CAP 256
#define LARGE_CAP ((size_t)64 * 1024)

void buf_init(struct buf *buf, size_t max_bytes) {
    *buf = (struct buf){.max = max_bytes};
}

void buf_done(struct buf *buf) {
    quick_free(buf->ptr);
    buf_init(buf, buf->max);
}

void buf_clear(struct buf *buf) {
    buf->start = buf->len = 0;
    buf->failed = false;
}

/* Doubles while it is small; a large one is often a queue with a reader who lags, and there are many of
 * those. */
static size_t grown_cap(const struct buf *buf, size_t need) {
    size_t cap = buf->cap < FIRST_CAP ? FIRST_CAP : buf->cap;
    while (cap < need && cap < buf->max)
        cap += cap < LARGE_CAP ? cap : LARGE_CAP * (1 + cap / (4 * LARGE_CAP));
    return cap > buf->max ? buf->max : cap;
}

static bool move_to(struct buf *buf, size_t cap) {
    char *ptr = quick_alloc(cap ? cap : 1);
    if (!ptr) return false;
    if (buf->ptr) memcpy(ptr, buf->ptr + buf->start, buf->len);
    quick_free(buf->ptr);
    buf->ptr = ptr;
    buf->start = 0;
    buf->cap = cap;
    return true;
}

static bool grow(struct buf *buf, size_t cap) {
    if (buf->start || !buf->ptr) return move_to(buf, cap);
    char *ptr = realloc(buf->ptr, cap ? cap : 1);
    if (!ptr) return false;
    buf->ptr = ptr;
    buf->cap = cap;
    return true;
}

static void compact(struct buf *buf) {
    if (buf->len) memmove(buf->ptr, buf->ptr + buf->start, buf->len);
    buf->start = 0;
}

static bool make_room(struct buf *buf, size_t len) {
    if (len > buf->max - buf->len) return false;
    size_t need = buf->len + len;
    if (buf->ptr && buf->start + need <= buf->cap) return true;
    bool at_end = buf->cap == buf->max;
    if (buf->ptr && need <= buf->cap && (at_end || buf->start >= buf->cap / 4)) {
        compact(buf);
        return true;
    }
    return grow(buf, grown_cap(buf, need <= buf->cap ? buf->cap + 1 : need));
}

char *buf_reserve(struct buf *buf, size_t len) {
    if (!make_room(buf, len)) {
        buf->failed = true;
        return NULL;
    }
    return buf->ptr + buf->start + buf->len;
}

void buf_commit(struct buf *buf, size_t len) {
    assert(len <= buf->cap - buf->start - buf->len);
    buf->len += len;
}

bool buf_append(struct buf *buf, const void *bytes, size_t len) {
    if (len == 0) return true;
    if (len > buf->cap - buf->start - buf->len && !buf_reserve(buf, len)) return false;
    memcpy(buf->ptr + buf->start + buf->len, bytes, len);
    buf->len += len;
    return true;
}

bool buf_append_byte(struct buf *buf, char byte) {
    return buf_append(buf, &byte, 1);
}

bool buf_append_number(struct buf *buf, uint64_t number) {
    char digits[20];
    size_t at = sizeof(digits);
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    return buf_append(buf, digits + at, sizeof(digits) - at);
}

bool buf_printf(struct buf *buf, const char *format, ...) {
    char text[512];
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int len = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    bool done = false;
    if (len >= 0 && (size_t)len < sizeof(text)) {
        done = buf_append(buf, text, (size_t)len);
    } else if (len >= 0) {
        size_t size = (size_t)len + 1;
        char *whole = malloc(size);
        if (whole) vsnprintf(whole, size, format, again);
        done = whole && buf_append(buf, whole, size - 1);
        free(whole);
    }
    va_end(again);
    if (!done) buf->failed = true;
    return done;
}

void buf_consume(struct buf *buf, size_t len) {
    assert(len <= buf->len);
    buf->len -= len;
    buf->start = buf->len ? buf->start + len : 0;
}

char *buf_take(struct buf *buf, size_t *ret_len) {
    *ret_len = buf->len;
    if (buf->len == 0) return NULL;
    if (buf->start) compact(buf);
    char *taken = buf->ptr;
    bool failed = buf->failed;
    buf_init(buf, buf->max);
    buf->failed = failed;
    return taken;
}
