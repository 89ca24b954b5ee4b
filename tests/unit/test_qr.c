/* A QR code as cells of a terminal, and its place in the display. That a reader takes it is
 * tests/e2e/test_qr.py's to see. */
#include <stdlib.h>

#include "base/utf8.h"
#include "cmocka_setup.h"
#include "display/layout.h"

/* Dark: the diagonal. */
static struct qr *diagonal(size_t width) {
    struct qr *qr = calloc(1, sizeof(*qr));
    assert_non_null(qr);
    qr->width = width;
    for (size_t i = 0; i < width; i++) qr->dark[i * width + i] = 1;
    return qr;
}

static void expect_row(const struct qr *qr, size_t quiet, size_t row, bool colour, const char *expected) {
    struct buf out;
    buf_init(&out, 4096);
    qr_append_row(&out, qr, quiet, row, colour);
    buf_append_byte(&out, '\0');
    assert_string_equal(buf_view(&out).ptr, expected);
    buf_done(&out);
}

#define UPPER "\xe2\x96\x80"
#define LOWER "\xe2\x96\x84"
#define BOTH "\xe2\x96\x88"
#define ON "\x1b[30;47;107m"
#define OFF "\x1b[0m"

static void cells(void **state) {
    (void)state;
    struct qr *qr = diagonal(3);
    assert_int_equal(qr_columns(qr, 1), 5);
    assert_int_equal(qr_rows(qr, 1), 3);
    expect_row(qr, 1, 0, true, ON " " LOWER "   " OFF);
    expect_row(qr, 1, 1, true, ON "  " UPPER LOWER " " OFF);
    expect_row(qr, 1, 2, true, ON "     " OFF);
    expect_row(qr, 1, 0, false, BOTH UPPER BOTH BOTH BOTH);
    expect_row(qr, 1, 1, false, BOTH BOTH LOWER UPPER BOTH);
    free(qr);
}

/* Each screen is no larger than its terminal, and has the code whole or not at all. */
static void every_size(void **state) {
    (void)state;
    struct board *board = calloc(1, sizeof(*board));
    struct qr *qr = diagonal(25);
    assert_non_null(board);
    board->version = "0.1.0";
    board->qr = *qr;
    struct board_tunnel *tunnel = board_tunnel(board, board);
    tunnel->state = BOARD_UP;
    memcpy(tunnel->url, "http://k3v9x0q2m7pd.localhost:8080", 35);
    for (size_t columns = 1; columns < 60; columns++)
        for (size_t rows = 1; rows < 50; rows++) {
            struct buf out;
            struct view rest, line;
            size_t lines = 0, of_code = 0;
            buf_init(&out, 1024 * 1024);
            layout_draw(board, columns, rows, (struct line_style){.utf8 = true}, &out);
            rest = buf_view(&out);
            for (; view_split(&rest, '\n', &line); lines++) {
                size_t width = 0;
                for (size_t at = 0; at < line.len; width++) {
                    uint32_t code;
                    at += utf8_next((const unsigned char *)line.ptr + at, line.len - at, &code);
                }
                assert_true(width <= columns);
                of_code += view_starts_with(line, VIEW(BOTH));
            }
            assert_true(lines <= rows);
            assert_true(of_code == 0 || of_code == qr_rows(qr, QR_QUIET) ||
                        of_code == qr_rows(qr, QR_QUIET_LEAST));
            assert_int_equal(of_code > 0, columns >= qr_columns(qr, QR_QUIET_LEAST) &&
                                              rows >= qr_rows(qr, QR_QUIET_LEAST) + (columns < 34 ? 4 : 3));
            buf_done(&out);
        }
    free(board);
    free(qr);
}

static void what_is_too_long(void **state) {
    (void)state;
    static char text[700];
    struct qr *qr = calloc(1, sizeof(*qr));
    assert_non_null(qr);
    if (strstr(qr_make(qr, "x") ? qr_make(qr, "x") : "", "without")) skip();
    assert_null(qr_make(qr, "http://k3v9x0q2m7pd.localhost:8080"));
    assert_int_equal(qr->width, 29);
    memset(text, 'a', 586);
    assert_null(qr_make(qr, text));
    assert_int_equal(qr->width, QR_WIDTH_MOST);
    text[586] = 'a';
    assert_string_equal(qr_make(qr, text), "the URL is too long for it");
    assert_int_equal(qr->width, 0);
    free(qr);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(cells), cmocka_unit_test(every_size),
                                       cmocka_unit_test(what_is_too_long)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
