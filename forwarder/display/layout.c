/* See layout.h. */
#include "display/layout.h"

#include <stdio.h>

#define LABEL_CELLS 11
#define WIDE 60      /* columns from which on there are labels, clocks and sizes */
#define LIST_LEAST 4 /* lines of the list that the header leaves, or it becomes shorter */
#define WRAPPED_MOST 3
#define CODE_LEAVES 4 /* lines that a code leaves to all else, at least */
#define END_CELLS 34  /* what a row has at most for how it ended */

/* How much the header says. */
enum detail { DETAIL_LEAST, DETAIL_SHORT, DETAIL_FULL };

struct page {
    const struct board *board;
    struct buf *out;
    struct line_style style;
    size_t columns, lines;
    enum detail detail;
    size_t quiet; /* of the code that is drawn; 0: none is */
};

static bool is_wide(const struct page *page) {
    return page->columns >= WIDE;
}

static struct line next_line(struct page *page) {
    struct line line;
    if (page->lines++) buf_append_byte(page->out, '\n');
    line_begin(&line, page->out, page->style, page->columns);
    return line;
}

static void blank(struct page *page) {
    if (page->detail == DETAIL_FULL) next_line(page);
}

static struct line labelled(struct page *page, const char *label) {
    struct line line = next_line(page);
    if (!is_wide(page)) return line;
    line_colour(&line, COLOUR_DIM);
    line_text(&line, view_from_cstr(label), LABEL_CELLS);
    line_colour(&line, COLOUR_NONE);
    line_pad(&line, LABEL_CELLS);
    return line;
}

/* Over several lines where one is too short; cut after `most` of them. The text is ours or ASCII. */
static void wrapped(struct page *page, const char *label, const char *text, enum line_colour colour,
                    size_t most) {
    struct view rest = view_from_cstr(text);
    for (size_t i = 0; rest.len && i < most; i++) {
        struct line line = labelled(page, i ? "" : label);
        size_t room = line_room(&line), taken = rest.len <= room ? rest.len : room;
        if (i + 1 == most) taken = rest.len;
        size_t space = taken < rest.len ? view_find_last(view_slice(rest, 0, taken), ' ') : taken;
        if (space < taken && space > room / 2) taken = space;
        line_colour(&line, colour);
        line_text(&line, view_slice(rest, 0, taken), room);
        line_colour(&line, COLOUR_NONE);
        rest = view_skip(rest, taken);
        if (rest.len && rest.ptr[0] == ' ') rest = view_skip(rest, 1);
    }
}

/* ---- the header ---- */

/* "12 ms to tunnel.example.com" */
static void latency_text(struct line *line, const struct board_tunnel *tunnel) {
    char latency[MEASURE_BYTES];
    if (!tunnel->has_latency) return;
    line_printf(line, ", %s to ", tunnel->latency_ms ? measure_time(tunnel->latency_ms, latency) : "< 1 ms");
    line_text(line, tunnel->gateway[0] ? view_from_cstr(tunnel->gateway) : VIEW("the gateway"), SIZE_MAX);
}

static void state_text(struct line *line, const struct board_tunnel *tunnel) {
    static const struct {
        const char *text;
        enum line_colour colour;
    } states[] = {[BOARD_CONNECTING] = {"connecting", COLOUR_YELLOW},
                  [BOARD_UP] = {"online", COLOUR_GREEN},
                  [BOARD_DOWN] = {"offline", COLOUR_RED}};
    line_colour(line, states[tunnel->state].colour);
    line_text(line, view_from_cstr(states[tunnel->state].text), SIZE_MAX);
    line_colour(line, COLOUR_NONE);
    if (tunnel->state == BOARD_UP)
        latency_text(line, tunnel);
    else if (tunnel->state != BOARD_UP && tunnel->why[0])
        line_printf(line, ", %s", tunnel->why);
}

static void draw_code(struct page *page) {
    const struct qr *qr = &page->board->qr;
    for (size_t i = 0; page->quiet && i < qr_rows(qr, page->quiet); i++) {
        next_line(page);
        qr_append_row(page->out, qr, page->quiet, i, page->style.colour);
    }
    if (page->quiet || !qr->width) return;
    struct line line = next_line(page);
    line_printf(&line, "The QR code needs %zu x %zu", qr_columns(qr, QR_QUIET_LEAST),
                qr_rows(qr, QR_QUIET_LEAST) + CODE_LEAVES);
}

static void draw_service(struct page *page, const struct board_tunnel *tunnel) {
    if (page->detail == DETAIL_LEAST && !tunnel->service_down) return;
    struct line line = labelled(page, "Service");
    line_text(&line, view_from_cstr(tunnel->service), SIZE_MAX);
    if (!tunnel->service_down) return;
    line_colour(&line, COLOUR_RED);
    line_text(&line, VIEW(" does not answer"), SIZE_MAX);
    line_colour(&line, COLOUR_NONE);
}

static void draw_one(struct page *page, const struct board_tunnel *tunnel) {
    struct line line = labelled(page, "Status");
    state_text(&line, tunnel);
    wrapped(page, "URL", tunnel->url, COLOUR_BOLD, WRAPPED_MOST);
    if (page->detail == DETAIL_FULL) wrapped(page, "or", tunnel->path_url, COLOUR_NONE, WRAPPED_MOST);
    if (tunnel->share_url[0]) wrapped(page, "Share", tunnel->share_url, COLOUR_NONE, WRAPPED_MOST);
    draw_code(page);
    draw_service(page, tunnel);
}

/* "web: " */
static void add_label(struct line *line, const char *label) {
    if (!label[0]) return;
    line_text(line, view_from_cstr(label), line_room(line) / 3);
    line_text(line, VIEW(": "), 2);
}

/* One of several: a line for all of it. */
static void draw_brief(struct page *page, const struct board_tunnel *tunnel) {
    bool is_well = tunnel->state == BOARD_UP && !tunnel->service_down;
    struct line line = next_line(page);
    line_colour(&line, is_well ? COLOUR_GREEN : COLOUR_RED);
    line_text(&line, is_well ? VIEW("+ ") : VIEW("- "), 2);
    line_colour(&line, COLOUR_NONE);
    add_label(&line, tunnel->label);
    line_text(&line, view_from_cstr(tunnel->url[0] ? tunnel->url : tunnel->why), SIZE_MAX);
    line_printf(&line, "  %s", tunnel->service);
}

/* Of several: how many are up, and what the slowest of them takes to the gateway, which is the same for all.
 */
static void draw_sum(struct page *page, size_t count) {
    const struct board_tunnel *slowest = NULL;
    size_t up = 0;
    for (size_t i = 0; i < BOARD_TUNNELS; i++) {
        const struct board_tunnel *tunnel = &page->board->tunnels[i];
        if (!tunnel->key || tunnel->state != BOARD_UP) continue;
        up++;
        if (!slowest || tunnel->latency_ms > slowest->latency_ms) slowest = tunnel;
    }
    struct line line = labelled(page, "Status");
    line_colour(&line, up == count ? COLOUR_GREEN : COLOUR_RED);
    line_printf(&line, "%zu of %s%zu online", up, count < BOARD_TUNNELS ? "" : "the first ", count);
    line_colour(&line, COLOUR_NONE);
    if (slowest) latency_text(&line, slowest);
}

static size_t tunnel_count(const struct board *board) {
    size_t count = 0;
    for (size_t i = 0; i < BOARD_TUNNELS; i++) count += board->tunnels[i].key != NULL;
    return count;
}

static void draw_tunnels(struct page *page) {
    size_t count = tunnel_count(page->board);
    bool is_single = count == 1;
    if (count > 1 && page->detail != DETAIL_LEAST) draw_sum(page, count);
    for (size_t i = 0; i < BOARD_TUNNELS; i++) {
        const struct board_tunnel *tunnel = &page->board->tunnels[i];
        if (!tunnel->key) continue;
        if (is_single)
            draw_one(page, tunnel);
        else
            draw_brief(page, tunnel);
    }
}

static void draw_counts(struct page *page) {
    static const unsigned percents[] = {50, 95};
    const struct board *board = page->board;
    uint64_t times[2];
    char half[MEASURE_BYTES], most[MEASURE_BYTES];
    struct line line = labelled(page, "Requests");
    line_printf(&line, is_wide(page) ? "%llu" : "%llu requests", (unsigned long long)board->requests);
    if (board->failed) {
        line_colour(&line, COLOUR_RED);
        line_printf(&line, ", %llu failed", (unsigned long long)board->failed);
        line_colour(&line, COLOUR_NONE);
    }
    if (board->open) line_printf(&line, ", %llu open", (unsigned long long)board->open);
    if (!board->times.count) return;
    quantiles_of(&board->times, percents, 2, times);
    line_printf(&line, ", p50 %s, p95 %s", measure_time(times[0], half), measure_time(times[1], most));
}

static void draw_title(struct page *page) {
    static const struct view stop = {"Ctrl-C ends it", 14};
    struct line line = next_line(page);
    line_colour(&line, COLOUR_BOLD);
    line_printf(&line, "ttf %s", page->board->version);
    line_colour(&line, COLOUR_NONE);
    if (line_room(&line) < stop.len + 2) return;
    line_pad(&line, page->columns - stop.len);
    line_colour(&line, COLOUR_DIM);
    line_text(&line, stop, stop.len);
    line_colour(&line, COLOUR_NONE);
}

static void draw_column_names(struct page *page) {
    if (page->detail != DETAIL_FULL || !is_wide(page)) return;
    struct line line = next_line(page);
    line_colour(&line, COLOUR_DIM);
    line_text(&line, VIEW("TIME     METHOD        TOOK    SIZE  TARGET"), SIZE_MAX);
    line_colour(&line, COLOUR_NONE);
}

static void draw_header(struct page *page) {
    if (page->detail == DETAIL_FULL) draw_title(page);
    blank(page);
    draw_tunnels(page);
    if (page->detail != DETAIL_LEAST) wrapped(page, "Inspector", page->board->inspector, COLOUR_NONE, 1);
    if (page->detail != DETAIL_LEAST) draw_counts(page);
    wrapped(page, "Hint", page->board->hint, COLOUR_YELLOW, page->detail == DETAIL_LEAST ? 1 : WRAPPED_MOST);
    blank(page);
    draw_column_names(page);
}

/* ---- the list ---- */

static enum line_colour colour_of(const struct board_row *row) {
    if (row->has_failed) return COLOUR_RED;
    if (row->status >= 400) return COLOUR_YELLOW;
    if (row->status >= 300) return COLOUR_CYAN;
    return COLOUR_GREEN;
}

static size_t note_lines(const struct page *page, const struct board_row *row) {
    size_t room = page->columns > 9 ? page->columns - 9 : 1, lines = (strlen(row->target) + room - 1) / room;
    return lines < 1 ? 1 : lines > WRAPPED_MOST ? WRAPPED_MOST : lines;
}

static size_t row_lines(const struct page *page, const struct board_row *row) {
    return row->is_note ? note_lines(page, row) : row->folded ? 2 : 1;
}

static void draw_note(struct page *page, const struct board_row *row) {
    struct view rest = view_from_cstr(row->target);
    size_t count = note_lines(page, row);
    for (size_t i = 0; i < count; i++) {
        struct line line = next_line(page);
        if (i == 0) line_text(&line, view_from_cstr(row->clock), SIZE_MAX);
        line_pad(&line, 9);
        line_colour(&line, row->is_alarm ? COLOUR_RED : COLOUR_DIM);
        size_t taken = i + 1 == count || line_room(&line) > rest.len ? rest.len : line_room(&line);
        line_text(&line, view_slice(rest, 0, taken), SIZE_MAX);
        line_colour(&line, COLOUR_NONE);
        rest = view_skip(rest, taken);
    }
}

static void end_text(const struct board_row *row, char *out, size_t size) {
    char in[MEASURE_BYTES];
    const char *what = row->kind == BOARD_SOCKET ? "WebSocket" : "event stream";
    if (row->is_open)
        snprintf(out, size, "%s opened", what);
    else if (row->was_open)
        snprintf(out, size, "%s ended%s%.60s", what, row->end[0] ? ": " : "", row->end);
    else if (row->end[0])
        snprintf(out, size, "%.99s", row->end);
    else if (row->bytes_in)
        snprintf(out, size, "%s in", measure_size(row->bytes_in, in));
    else
        out[0] = '\0';
}

static void draw_numbers(struct page *page, struct line *line, const struct board_row *row) {
    char text[MEASURE_BYTES];
    line_right(line, row->is_open ? VIEW("") : view_from_cstr(measure_time(row->took_ms, text)), 6);
    if (is_wide(page))
        line_right(line, row->is_open ? VIEW("") : view_from_cstr(measure_size(row->bytes, text)), 7);
}

static void draw_request(struct page *page, const struct board_row *row) {
    char end[128], status[16];
    struct line line = next_line(page);
    if (is_wide(page)) line_text(&line, view_from_cstr(row->clock), SIZE_MAX);
    line_pad(&line, is_wide(page) ? 9 : 0);
    size_t begin = line.used;
    if (row->has_failed) line_colour(&line, COLOUR_RED);
    line_text(&line, view_from_cstr(row->method), 7);
    line_pad(&line, begin + 8);
    snprintf(status, sizeof(status), row->status > 0 ? "%d" : "-", row->status);
    line_colour(&line, colour_of(row));
    line_right(&line, view_from_cstr(status), 3);
    if (!row->has_failed) line_colour(&line, COLOUR_NONE);
    draw_numbers(page, &line, row);
    end_text(row, end, sizeof(end));
    line_pad(&line, line.used + (is_wide(page) ? 1 : 0));
    if (is_wide(page)) add_label(&line, row->label);
    size_t end_cells = strlen(end) < END_CELLS ? strlen(end) : END_CELLS;
    size_t room = line_room(&line), kept = end[0] && room > 2 * end_cells ? end_cells + 2 : 0;
    line_target(&line, view_from_cstr(row->target), line_room(&line) - kept);
    if (end[0] && line_room(&line) > 6) {
        line_pad(&line, line.used + 2);
        line_text(&line, view_from_cstr(end), SIZE_MAX);
    }
    line_colour(&line, COLOUR_NONE);
}

static void draw_folded(struct page *page, const struct board_row *row) {
    char size[MEASURE_BYTES];
    struct line line = next_line(page);
    line_pad(&line, is_wide(page) ? 37 : 8);
    line_colour(&line, COLOUR_DIM);
    line_printf(&line, "+ %llu more, %s", (unsigned long long)row->folded,
                measure_size(row->folded_bytes, size));
    line_colour(&line, COLOUR_NONE);
}

static void draw_row(struct page *page, const struct board_row *row) {
    if (row->is_note)
        draw_note(page, row);
    else
        draw_request(page, row);
    if (row->folded) draw_folded(page, row);
}

/* The newest rows that fit, oldest first. */
static void draw_list(struct page *page, size_t rows) {
    size_t shown = 0, used = page->lines;
    for (const struct board_row *row; (row = board_row(page->board, shown)); shown++) {
        used += row_lines(page, row);
        if (used > rows) break;
    }
    while (shown-- > 0) draw_row(page, board_row(page->board, shown));
}

/* ---- the screen ---- */

/* What does not fit goes, from below. */
static void cut_after(struct buf *out, size_t begin, size_t rows) {
    struct view text = view_skip(buf_view(out), begin);
    for (size_t at = 0; at < text.len; at++)
        if (text.ptr[at] == '\n' && --rows == 0) {
            out->len = begin + at;
            return;
        }
}

static size_t clamp(size_t value) {
    return value < 1 ? 1 : value > LAYOUT_MOST ? LAYOUT_MOST : value;
}

/* With as much of the header as leaves `least` lines to the list. False: even the least of it does not. */
static bool draw_above(struct page *page, size_t rows, size_t least) {
    size_t begin = page->out->len;
    for (int detail = DETAIL_FULL; detail >= DETAIL_LEAST; detail--) {
        page->detail = (enum detail)detail;
        page->lines = 0;
        page->out->len = begin;
        draw_header(page);
        if (page->lines + least <= rows) return true;
    }
    return false;
}

/* The code is worth more than details. */
static bool draw_above_with_code(struct page *page, size_t rows) {
    static const size_t quiets[] = {QR_QUIET, QR_QUIET_LEAST};
    size_t begin = page->out->len;
    if (!page->board->qr.width || !page->style.utf8 || tunnel_count(page->board) != 1) return false;
    for (size_t i = 0; i < 2; i++) {
        page->quiet = quiets[i];
        if (qr_columns(&page->board->qr, page->quiet) <= page->columns && draw_above(page, rows, 1))
            return true;
        page->out->len = begin;
    }
    page->quiet = 0;
    return false;
}

void layout_draw(const struct board *board, size_t columns, size_t rows, struct line_style style,
                 struct buf *out) {
    struct page page = {.board = board, .out = out, .style = style, .columns = clamp(columns)};
    rows = clamp(rows);
    size_t begin = out->len;
    if (!draw_above_with_code(&page, rows)) draw_above(&page, rows, LIST_LEAST);
    draw_list(&page, rows);
    cut_after(out, begin, rows);
}
