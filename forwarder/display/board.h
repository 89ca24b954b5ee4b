/* What the display shows, without a terminal: the tunnels, counts, and the last rows. A row is a request, or
 * a note. What a page loads is folded into its row: `+ 21 more, 340 KB`. */
#ifndef DISPLAY_BOARD_H
#define DISPLAY_BOARD_H

#include "base/view.h"
#include "display/measure.h"
#include "display/qr.h"

#define BOARD_TUNNELS 8
#define BOARD_ROWS 256
#define BOARD_TARGET 240 /* bytes kept of a target or a note */

enum board_state { BOARD_CONNECTING, BOARD_UP, BOARD_DOWN };

struct board_tunnel {
    const void *key; /* whose it is; NULL: a place that is free */
    enum board_state state;
    char label[24];                               /* as in rows */
    char url[256], path_url[256], share_url[512]; /* empty: not known, not needed */
    char gateway[128];                            /* which it is connected to */
    char service[128];
    char why[160]; /* BOARD_DOWN: in the terms of people; also where a service is down */
    bool service_down;
    uint64_t latency_ms;
    bool has_latency;
};

/* How a request comes to be made. */
enum board_kind {
    BOARD_CALL,   /* by a program, or nobody knows */
    BOARD_PAGE,   /* a document that a browser shows */
    BOARD_ASSET,  /* what such a document loads */
    BOARD_SOCKET, /* a WebSocket, or another protocol that was switched to */
    BOARD_EVENTS, /* an event stream */
};

struct board_row {
    const void *tunnel;
    char clock[9];
    bool is_note, is_alarm; /* a note; one that wants to be seen */
    bool is_open;           /* a socket or an event stream that has just begun */
    bool was_open;          /* the end of such a one */
    bool has_failed;        /* 5xx, an error of ours, or it was cut */
    char label[24];         /* of the tunnel, where there are several; empty otherwise */
    char method[12];
    char target[BOARD_TARGET]; /* or the note's text */
    char end[100];             /* how it ended where that is not the service's answer; empty otherwise */
    int status;                /* 0: none */
    enum board_kind kind;
    uint64_t took_ms, bytes, bytes_in;
    uint64_t folded, folded_bytes; /* assets of this page that have no row */
};

enum board_shows { BOARD_ALL, BOARD_PAGES, BOARD_ERRORS };

struct board {
    const char *version;
    enum board_shows shows;
    char inspector[160], hint[256]; /* empty: none */
    struct board_tunnel tunnels[BOARD_TUNNELS];
    struct qr qr; /* of the only tunnel's URL; none: not wanted */
    uint64_t requests, failed, open;
    struct quantiles times;
    struct board_row rows[BOARD_ROWS];
    size_t row_count, next_row;
};

/* The place of that tunnel, made where there is none yet; NULL when all are taken. */
struct board_tunnel *board_tunnel(struct board *board, const void *key);
void board_forget_tunnel(struct board *board, const void *key);
/* Takes the row: counts it, and keeps, folds or drops it, as `shows` says. */
void board_take(struct board *board, const struct board_row *row);
/* The row that is `age` rows old, 0: the newest; NULL: there is none. */
const struct board_row *board_row(const struct board *board, size_t age);

#endif
