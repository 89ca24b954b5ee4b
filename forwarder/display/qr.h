/* A text as a QR code, and as what a terminal shows of it: a cell is two modules, one above the other, as
 * half blocks. Where there are colours they are black on white whatever the terminal's own are, so that any
 * reader takes it; without them, light is what the terminal writes in, as on a dark one. */
#ifndef DISPLAY_QR_H
#define DISPLAY_QR_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

#define QR_WIDTH_MOST 81 /* modules: version 16, room for 586 bytes */
#define QR_QUIET 4       /* light modules around it, as the standard has it (ISO/IEC 18004, 9.1) ... */
#define QR_QUIET_LEAST 2 /* ... and as readers still take it */

/* Zeroed: none. */
struct qr {
    size_t width;                                      /* modules a side */
    unsigned char dark[QR_WIDTH_MOST * QR_WIDTH_MOST]; /* 1: dark; by rows */
};

/* NULL, or why there is none (static): it is too long, or this program was built without libqrencode. */
const char *qr_make(struct qr *ret_qr, const char *text);
/* The library that makes it, and its version; NULL in a program that was built without. */
const char *qr_library(void);

/* Cells, with `quiet` modules around it. */
static inline size_t qr_columns(const struct qr *qr, size_t quiet) {
    return qr->width + 2 * quiet;
}
static inline size_t qr_rows(const struct qr *qr, size_t quiet) {
    return (qr->width + 2 * quiet + 1) / 2;
}
/* One of these rows, without a line's end. */
void qr_append_row(struct buf *out, const struct qr *qr, size_t quiet, size_t row, bool colour);

#endif
