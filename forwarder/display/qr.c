/* See qr.h. */
#include "display/qr.h"

static bool is_dark(const struct qr *qr, size_t quiet, size_t x, size_t y) {
    if (x < quiet || y < quiet || x - quiet >= qr->width || y - quiet >= qr->width) return false;
    return qr->dark[(y - quiet) * qr->width + (x - quiet)];
}

void qr_append_row(struct buf *out, const struct qr *qr, size_t quiet, size_t row, bool colour) {
    static const char *const cells[] = {" ", "\xe2\x96\x80", "\xe2\x96\x84",
                                        "\xe2\x96\x88"}; /* none, upper, lower, both */
    /* white where there is a bright one, light grey elsewhere */
    if (colour) buf_append_view(out, VIEW("\x1b[30;47;107m"));
    for (size_t x = 0; x < qr_columns(qr, quiet); x++) {
        bool is_upper = is_dark(qr, quiet, x, 2 * row) == colour,
             is_lower = is_dark(qr, quiet, x, 2 * row + 1) == colour;
        buf_append_view(out, view_from_cstr(cells[(is_upper ? 1 : 0) + (is_lower ? 2 : 0)]));
    }
    if (colour) buf_append_view(out, VIEW("\x1b[0m"));
}
