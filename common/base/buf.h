/* A growing byte buffer, born with its maximum. Bytes are appended at the end and consumed from the front.
 * A failed append (maximum or memory) changes nothing and marks the buffer `failed`, so that a writer may
 * append many times and look once at the end. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/view.h"

struct buf {
    char *ptr;
    size_t start; /* consumed from the front */
    size_t len;   /* bytes held, from ptr + start */
    size_t cap;
    size_t max; /* bytes it may ever hold at once */
    bool failed;
};

/* Allocates nothing. */
void buf_init(struct buf *buf, size_t max_bytes);
/* Frees the memory; the buffer may be used again with the same maximum. */
void buf_done(struct buf *buf);
/* Forgets the bytes and the failure, keeps the memory. */
void buf_clear(struct buf *buf);

bool buf_append(struct buf *buf, const void *bytes, size_t len);
static inline bool buf_append_view(struct buf *buf, struct view v) {
    return buf_append(buf, v.ptr, v.len);
}
bool buf_append_byte(struct buf *buf, char byte);
/* In decimal; many times quicker than buf_printf(). */
bool buf_append_number(struct buf *buf, uint64_t number);
bool buf_printf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Room for at least `len` bytes behind the end, to be written directly and then buf_commit()ed; NULL on
 * failure. */
char *buf_reserve(struct buf *buf, size_t len);
void buf_commit(struct buf *buf, size_t len);

/* `len` at most buf->len. */
void buf_consume(struct buf *buf, size_t len);

static inline struct view buf_view(const struct buf *buf) {
    return (struct view){buf->len ? buf->ptr + buf->start : buf->ptr, buf->len};
}

/* The bytes as a malloc'ed block owned by the caller from now on (NULL if empty); the buffer is empty
 * afterwards. */
char *buf_take(struct buf *buf, size_t *ret_len);

#endif
