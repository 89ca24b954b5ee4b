/* See board.h. */
#include "display/board.h"

struct board_tunnel *board_tunnel(struct board *board, const void *key) {
    struct board_tunnel *vacant = NULL;
    for (size_t i = BOARD_TUNNELS; i-- > 0;) {
        if (board->tunnels[i].key == key) return &board->tunnels[i];
        if (!board->tunnels[i].key) vacant = &board->tunnels[i];
    }
    if (vacant) *vacant = (struct board_tunnel){.key = key};
    return vacant;
}

void board_forget_tunnel(struct board *board, const void *key) {
    for (size_t i = 0; i < BOARD_TUNNELS; i++)
        if (board->tunnels[i].key == key) board->tunnels[i] = (struct board_tunnel){0};
}

static struct board_row *nth(struct board *board, size_t age) {
    return &board->rows[(board->next_row + BOARD_ROWS - 1 - age) % BOARD_ROWS];
}

const struct board_row *board_row(const struct board *board, size_t age) {
    if (age >= board->row_count) return NULL;
    return &board->rows[(board->next_row + BOARD_ROWS - 1 - age) % BOARD_ROWS];
}

/* The last page of that tunnel that still has a row. */
static struct board_row *page_of(struct board *board, const void *tunnel) {
    for (size_t age = 0; age < board->row_count; age++) {
        struct board_row *row = nth(board, age);
        if (row->kind == BOARD_PAGE && !row->is_note && row->tunnel == tunnel) return row;
    }
    return NULL;
}

static bool fold(struct board *board, const struct board_row *row) {
    struct board_row *page = page_of(board, row->tunnel);
    if (!page) return false;
    page->folded++;
    page->folded_bytes += row->bytes;
    return true;
}

static void count(struct board *board, const struct board_row *row) {
    if (row->is_open) {
        board->open++;
        board->requests++;
        return;
    }
    if (row->was_open && board->open) board->open--;
    if (!row->was_open) board->requests++;
    if (row->has_failed) board->failed++;
    if (row->kind != BOARD_SOCKET && row->kind != BOARD_EVENTS) quantiles_add(&board->times, row->took_ms);
}

static bool is_kept(struct board *board, const struct board_row *row) {
    if (row->is_note || row->has_failed || row->status >= 400) return true;
    if (board->shows == BOARD_ERRORS) return false;
    return board->shows == BOARD_ALL || row->kind != BOARD_ASSET || !fold(board, row);
}

void board_take(struct board *board, const struct board_row *row) {
    if (!row->is_note) count(board, row);
    if (!is_kept(board, row)) return;
    board->rows[board->next_row] = *row;
    board->next_row = (board->next_row + 1) % BOARD_ROWS;
    if (board->row_count < BOARD_ROWS) board->row_count++;
}
