/* The terminal display without a terminal: what one sees is a function of what there is and of the size. */
#include <stdio.h>
#include <stdlib.h>

#include "base/utf8.h"
#include "cmocka_setup.h"
#include "display/layout.h"

static const struct line_style plain = {.utf8 = true};

static struct board *new_board(void) {
    struct board *board = calloc(1, sizeof(*board));
    assert_non_null(board);
    board->version = "0.1.0";
    board->shows = BOARD_PAGES;
    return board;
}

static struct board_tunnel *up(struct board *board) {
    struct board_tunnel *tunnel = board_tunnel(board, board);
    tunnel->state = BOARD_UP;
    tunnel->has_latency = true;
    tunnel->latency_ms = 12;
    snprintf(tunnel->gateway, sizeof(tunnel->gateway), "localhost:8080");
    snprintf(tunnel->url, sizeof(tunnel->url), "http://k3v9x0q2m7pd.localhost:8080");
    snprintf(tunnel->path_url, sizeof(tunnel->path_url), "http://localhost:8080/k3v9x0q2m7pd/");
    snprintf(tunnel->service, sizeof(tunnel->service), "localhost:3000");
    return tunnel;
}

static struct board_row row_of(struct board *board, const char *method, const char *target, int status) {
    struct board_row row = {.tunnel = board, .status = status, .took_ms = 12, .bytes = 4200};
    snprintf(row.clock, sizeof(row.clock), "12:30:01");
    snprintf(row.method, sizeof(row.method), "%s", method);
    snprintf(row.target, sizeof(row.target), "%s", target);
    return row;
}

static void take(struct board *board, enum board_kind kind, const char *target, int status) {
    struct board_row row = row_of(board, "GET", target, status);
    row.kind = kind;
    row.has_failed = status >= 500;
    board_take(board, &row);
}

static char *screen(const struct board *board, size_t columns, size_t rows, struct line_style style) {
    struct buf out;
    buf_init(&out, 1024 * 1024);
    layout_draw(board, columns, rows, style, &out);
    assert_false(out.failed);
    buf_append_byte(&out, '\0');
    return buf_take(&out, &(size_t){0});
}

static size_t cells_of(struct view line) {
    size_t cells = 0;
    uint32_t code;
    for (size_t taken; line.len; line = view_skip(line, taken)) {
        taken = utf8_next((const unsigned char *)line.ptr, line.len, &code);
        assert_int_not_equal(taken, 0);
        assert_int_not_equal(line_cells(code), 0);
        cells += line_cells(code);
    }
    return cells;
}

/* No screen is larger than its terminal, and nothing in it is no text. */
static void check_size(const char *text, size_t columns, size_t rows) {
    struct view rest = view_from_cstr(text), line;
    size_t lines = 0;
    for (; view_split(&rest, '\n', &line); lines++) assert_true(cells_of(line) <= columns);
    assert_true(lines <= rows);
}

static void expect_screen(const struct board *board, size_t columns, size_t rows, const char *expected) {
    char *text = screen(board, columns, rows, plain);
    assert_string_equal(text, expected);
    check_size(text, columns, rows);
    free(text);
}

static void fill(struct board *board) {
    up(board);
    take(board, BOARD_PAGE, "/todos", 200);
    for (int i = 0; i < 21; i++) take(board, BOARD_ASSET, "/app.js", 200);
    take(board, BOARD_CALL, "/missing", 404);
    take(board, BOARD_CALL, "/fails", 500);
}

static void usual_terminal(void **state) {
    (void)state;
    struct board *board = new_board();
    fill(board);
    struct board_row note = row_of(board, "", "The local service does not answer", 0);
    note.is_note = true;
    board_take(board, &note);
    expect_screen(board, 80, 24,
                  "ttf 0.1.0                                                         Ctrl-C ends it\n"
                  "\n"
                  "Status     online, 12 ms to localhost:8080\n"
                  "URL        http://k3v9x0q2m7pd.localhost:8080\n"
                  "or         http://localhost:8080/k3v9x0q2m7pd/\n"
                  "Service    localhost:3000\n"
                  "Requests   24, 1 failed, p50 12 ms, p95 12 ms\n"
                  "\n"
                  "TIME     METHOD        TOOK    SIZE  TARGET\n"
                  "12:30:01 GET     200  12 ms  4.1 KB  /todos\n"
                  "                                     + 21 more, 86 KB\n"
                  "12:30:01 GET     404  12 ms  4.1 KB  /missing\n"
                  "12:30:01 GET     500  12 ms  4.1 KB  /fails\n"
                  "12:30:01 The local service does not answer");
    free(board);
}

static void small_terminal(void **state) {
    (void)state;
    struct board *board = new_board();
    fill(board);
    expect_screen(board, 40, 10,
                  "online, 12 ms to localhost:8080\n"
                  "http://k3v9x0q2m7pd.localhost:8080\n"
                  "localhost:3000\n"
                  "24 requests, 1 failed, p50 12 ms, p95 1\xe2\x80\xa6\n"
                  "GET     200  12 ms /todos\n"
                  "        + 21 more, 86 KB\n"
                  "GET     404  12 ms /missing\n"
                  "GET     500  12 ms /fails");
    free(board);
}

static void large_terminal(void **state) {
    (void)state;
    struct board *board = new_board();
    fill(board);
    for (int i = 0; i < 60; i++) take(board, BOARD_CALL, "/again", 200);
    char *text = screen(board, 200, 50, plain), *last = strrchr(text, '\n');
    check_size(text, 200, 50);
    assert_string_equal(last + 1, "12:30:01 GET     200  12 ms  4.1 KB  /again");
    assert_null(strstr(text, "/todos"));
    free(text);
    free(board);
}

static void other_scripts(void **state) {
    (void)state;
    struct board *board = new_board();
    up(board);
    take(board, BOARD_CALL,
         "/%E6%96%87%E6%A1%A3/%E6%97%A5%E6%9C%AC%E8%AA%9E/%ED%95%9C%EA%B5%AD%EC%96%B4?q=%26", 200);
    take(board, BOARD_CALL, "/\xe6\x96\x87\xe6\xa1\xa3", 200);
    char *text = screen(board, 80, 24, plain);
    check_size(text, 80, 24);
    assert_non_null(strstr(text, "/文档/日本語/한국어?q=%26\n"));
    assert_non_null(strstr(text, "  /文档"));
    free(text);
    for (size_t columns = 1; columns < 90; columns++) {
        text = screen(board, columns, 24, plain);
        check_size(text, columns, 24);
        free(text);
    }
    text = screen(board, 80, 24, (struct line_style){0});
    assert_non_null(strstr(text, "/%E6%96%87"));
    assert_non_null(strstr(text, "/\\xe6\\x96\\x87"));
    free(text);
    free(board);
}

/* In no field can a visitor, a service or a gateway say something to the terminal. */
static void hostile_text(void **state) {
    (void)state;
    static const char evil[] =
        "/\x1b[2J\x9b\x31m\r\n\t\x7f\xc2\x9b%1b%C2%9B\xe2\x80\xae%E2%80%AE\xcc\x81%CC%81%";
    struct board *board = new_board();
    struct board_tunnel *tunnel = up(board);
    snprintf(tunnel->url, sizeof(tunnel->url), "%s", evil);
    snprintf(tunnel->path_url, sizeof(tunnel->path_url), "%s", evil);
    snprintf(tunnel->service, sizeof(tunnel->service), "%s", evil);
    snprintf(tunnel->why, sizeof(tunnel->why), "%s", evil);
    snprintf(tunnel->gateway, sizeof(tunnel->gateway), "%s", evil);
    snprintf(board->hint, sizeof(board->hint), "%s", evil);
    snprintf(board->inspector, sizeof(board->inspector), "%s", evil);
    struct board_row row = row_of(board, evil, evil, 502);
    snprintf(row.label, sizeof(row.label), "%.23s", evil);
    snprintf(tunnel->label, sizeof(tunnel->label), "%.23s", evil);
    snprintf(row.end, sizeof(row.end), "%s", evil);
    row.has_failed = true;
    board_take(board, &row);
    row.is_note = true;
    board_take(board, &row);
    for (int is_down = 0; is_down < 2; is_down++) {
        tunnel->state = is_down ? BOARD_DOWN : BOARD_UP;
        char *text = screen(board, 120, 40, plain);
        check_size(text, 120, 40);
        free(text);
    }
    free(board);
}

static void every_size(void **state) {
    (void)state;
    struct board *board = new_board();
    fill(board);
    snprintf(board->hint, sizeof(board->hint), "the local service refuses a host name that it does not know");
    for (size_t columns = 0; columns < 130; columns += 3)
        for (size_t rows = 0; rows < 40; rows++) {
            char *text = screen(board, columns, rows, plain);
            check_size(text, columns ? columns : 1, rows ? rows : 1);
            free(text);
        }
    free(board);
}

static void several_tunnels(void **state) {
    (void)state;
    struct board *board = new_board();
    up(board);
    struct board_tunnel *second = board_tunnel(board, "second");
    second->state = BOARD_DOWN;
    snprintf(second->why, sizeof(second->why), "the name is taken");
    snprintf(second->service, sizeof(second->service), "localhost:4000");
    char *text = screen(board, 80, 24, plain);
    assert_non_null(strstr(text, "Status     1 of 2 online, 12 ms to localhost:8080\n"
                                 "+ http://k3v9x0q2m7pd.localhost:8080  localhost:3000\n"
                                 "- the name is taken  localhost:4000\n"));
    free(text);
    snprintf(second->label, sizeof(second->label), "api");
    struct board_row row = row_of(board, "GET", "/todos", 200);
    snprintf(row.label, sizeof(row.label), "api");
    board_take(board, &row);
    text = screen(board, 80, 24, plain);
    assert_non_null(strstr(text, "- api: the name is taken  localhost:4000\n"));
    assert_non_null(strstr(text, "GET     200  12 ms  4.1 KB  api: /todos"));
    free(text);
    text = screen(board, 40, 24, plain);
    assert_non_null(strstr(text, "GET     200  12 ms /todos"));
    free(text);
    board_forget_tunnel(board, second->key);
    text = screen(board, 80, 24, plain);
    assert_non_null(strstr(text, "Status     online"));
    free(text);
    free(board);
}

static void colours(void **state) {
    (void)state;
    struct board *board = new_board();
    fill(board);
    char *text = screen(board, 80, 24, (struct line_style){.utf8 = true, .colour = true});
    assert_non_null(strstr(text, "\x1b[33m404"));
    assert_non_null(strstr(text, "\x1b[1;31mGET     "));
    free(text);
    free(board);
}

/* ---- the board ---- */

static void what_is_shown(void **state) {
    (void)state;
    static const struct {
        enum board_shows shows;
        size_t rows;
    } rows[] = {{BOARD_ALL, 24}, {BOARD_PAGES, 3}, {BOARD_ERRORS, 2}};
    for (size_t i = 0; i < 3; i++) {
        struct board *board = new_board();
        board->shows = rows[i].shows;
        fill(board);
        assert_int_equal(board->row_count, rows[i].rows);
        assert_int_equal(board->requests, 24);
        assert_int_equal(board->failed, 1);
        free(board);
    }
}

/* An asset without a page, or of another tunnel's, has a row. */
static void assets_alone(void **state) {
    (void)state;
    struct board *board = new_board();
    take(board, BOARD_ASSET, "/app.js", 200);
    assert_int_equal(board->row_count, 1);
    take(board, BOARD_PAGE, "/", 200);
    struct board_row other = row_of(board, "GET", "/app.js", 200);
    other.kind = BOARD_ASSET;
    other.tunnel = &other;
    board_take(board, &other);
    assert_int_equal(board->row_count, 3);
    take(board, BOARD_ASSET, "/missing.js", 404);
    assert_int_equal(board->row_count, 4);
    free(board);
}

static void sockets_open_and_end(void **state) {
    (void)state;
    struct board *board = new_board();
    up(board);
    struct board_row row = row_of(board, "GET", "/ws", 101);
    row.kind = BOARD_SOCKET;
    row.is_open = true;
    board_take(board, &row);
    assert_int_equal(board->open, 1);
    row.is_open = false;
    row.was_open = true;
    board_take(board, &row);
    assert_int_equal(board->open, 0);
    assert_int_equal(board->requests, 1);
    assert_int_equal(board->times.count, 0);
    char *text = screen(board, 80, 24, plain);
    assert_non_null(strstr(text, "GET     101                 /ws  WebSocket opened\n"));
    assert_non_null(strstr(text, "GET     101  12 ms  4.1 KB  /ws  WebSocket ended"));
    free(text);
    free(board);
}

static void more_rows_than_are_kept(void **state) {
    (void)state;
    struct board *board = new_board();
    for (int i = 0; i < BOARD_ROWS + 10; i++) take(board, BOARD_CALL, i < 10 ? "/old" : "/new", 200);
    assert_int_equal(board->row_count, BOARD_ROWS);
    assert_null(board_row(board, BOARD_ROWS));
    assert_string_equal(board_row(board, BOARD_ROWS - 1)->target, "/new");
    free(board);
}

/* ---- units ---- */

static void sizes_and_times(void **state) {
    (void)state;
    static const struct {
        uint64_t value;
        const char *size, *time;
    } rows[] = {{0, "0 B", "0 ms"},           {999, "999 B", "999 ms"},      {1000, "1.0 KB", "1.0 s"},
                {5120, "5.0 KB", "5.1 s"},    {10240, "10 KB", "10 s"},      {99999, "98 KB", "100 s"},
                {100000, "98 KB", "2 min"},   {1023999, "1.0 MB", "17 min"}, {6000000, "5.7 MB", "2 h"},
                {400000000, "381 MB", "5 d"}, {UINT64_MAX, "16 EB", NULL}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char out[MEASURE_BYTES];
        assert_string_equal(measure_size(rows[i].value, out), rows[i].size);
        if (rows[i].time) assert_string_equal(measure_time(rows[i].value, out), rows[i].time);
    }
}

static void usual_times(void **state) {
    (void)state;
    static const unsigned percents[] = {50, 95, 100};
    struct quantiles quantiles = {0};
    uint64_t times[3];
    quantiles_of(&quantiles, percents, 3, times);
    assert_int_equal(times[2], 0);
    for (unsigned i = 100; i >= 1; i--) quantiles_add(&quantiles, i);
    quantiles_of(&quantiles, percents, 3, times);
    assert_int_equal(times[0], 50);
    assert_int_equal(times[1], 95);
    assert_int_equal(times[2], 100);
    for (unsigned i = 0; i < QUANTILES_KEPT; i++) quantiles_add(&quantiles, 7);
    quantiles_of(&quantiles, percents, 3, times);
    assert_int_equal(times[2], 7);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(usual_terminal),       cmocka_unit_test(small_terminal),
        cmocka_unit_test(large_terminal),       cmocka_unit_test(other_scripts),
        cmocka_unit_test(hostile_text),         cmocka_unit_test(every_size),
        cmocka_unit_test(several_tunnels),      cmocka_unit_test(colours),
        cmocka_unit_test(what_is_shown),        cmocka_unit_test(assets_alone),
        cmocka_unit_test(sockets_open_and_end), cmocka_unit_test(more_rows_than_are_kept),
        cmocka_unit_test(sizes_and_times),      cmocka_unit_test(usual_times),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
