/* What people (and scripts that wait for lines) read on standard output and standard error. A thread of its
 * own writes (base/output.h): who does not read does not stop the tunnel. Colours only where standard output
 * is a terminal and NO_COLOR is unset. Bytes of visitors never reach the terminal raw, and tokens in queries
 * not at all.
 *
 * Standard output has one of three forms: lines; an object of JSON a line; or, once a tunnel is up on a
 * terminal, a display (display/live.h), which also shows what would go to standard error. */
#ifndef FORWARDER_CONSOLE_H
#define FORWARDER_CONSOLE_H

#include <time.h>

#include "base/buf.h"
#include "base/output.h"
#include "display/board.h"
#include "net/loop.h"

struct console_form;
struct live;

struct console_settings {
    bool json, live; /* neither: lines */
    bool qr;         /* the public URL as a code, too */
    enum board_shows shows;
};

/* `words` of plain, json, pages, errors, all with commas between them; NULL: what suits standard output.
 * False: they make no sense. */
bool console_choose(struct console_settings *ret_settings, const char *words);

struct console {
    struct output *out, *err;
    bool colour, utf8; /* what the terminal takes */
    bool qr;
    const struct console_form *form;
    enum board_shows shows;
    struct loop *loop; /* NULL: each line is handed on at once */
    struct task flush;
    struct buf lines; /* not handed on yet */
    time_t second;    /* that `clock` shows */
    char clock[16];
    const char *inspector; /* its page; NULL: there is none */
    struct live *live;     /* the display; NULL: it does not run */
    struct timer fold_end; /* of the lines: what a page loaded is told when no more comes */
    uint64_t folded, folded_bytes;
};

/* One request that is over; or that has opened a WebSocket or an event stream. */
struct console_request {
    const void *tunnel; /* console_tunnel.key */
    const char *label;  /* of the tunnel, where there are several; otherwise NULL */
    struct view method, target;
    int status;         /* what the visitor gets; 0: he left before there was one */
    const char *code;   /* of our own error, or how else it ended; NULL where the service's answer is whole */
    const char *detail; /* more of that, or NULL */
    uint64_t took_ms;
    uint64_t bytes, bytes_in; /* of the answer's body, of the request's */
    enum board_kind kind;
    bool is_open, was_open; /* a socket or an event stream that has just begun; the end of such a one */
    bool visitor_left;      /* `code` says so: nothing has failed */
};

/* A tunnel as it is now. Strings are borrowed until return, and may be NULL but `service`. */
struct console_tunnel {
    const void *key;   /* stays the same */
    const char *label; /* where there are several; otherwise NULL */
    enum board_state state;
    const char *gateway;                  /* "tunnel.example.com" */
    const char *service, *url, *path_url; /* `path_url` where only some programs know the host of `url` */
    const char *share_url;                /* what to give to visitors, where that is not `url` */
    uint64_t share_until_s;               /* since 1970: how long it is good */
    const char *why;                      /* it is not up */
    bool is_new_url;                      /* it is up for the first time, or at another URL */
    int64_t latency_ms;                   /* of a message to the gateway and back; negative: not known */
};

/* Takes the log, too. False without memory. */
bool console_init(struct console *console, const struct console_settings *settings);
/* Waits a moment for what is not written yet. */
void console_done(struct console *console);
/* From now on the lines of requests are handed on once a turn of the loop, and there may be a display; NULL
 * ends that, and the loop must run a little more. */
void console_attach(struct console *console, struct loop *loop);
void console_line(struct console *console, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* What the user may want to do; `label` of the tunnel it is about, where there are several. */
void console_hint(struct console *console, const char *label, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* "ttf: ...", to standard error. */
void console_error(struct console *console, const char *format, ...) __attribute__((format(printf, 2, 3)));
void console_request(struct console *console, const struct console_request *request);
/* Whether `kind` and the opening of streams are of use. */
static inline bool console_wants_kinds(const struct console *console);
/* Where the inspector's page is; borrowed for as long as the loop runs. */
void console_inspector(struct console *console, const char *url);
void console_tunnel(struct console *console, const struct console_tunnel *tunnel);
/* What a message to the gateway and back takes now: of a tunnel that is up. Only the display shows it. */
void console_latency(struct console *console, const void *tunnel, uint64_t latency_ms);
/* It has ended for good. */
void console_forget(struct console *console, const void *tunnel);
/* The local service of that tunnel does not answer any more, and why; or it does again (NULL). Of the tunnel
 * only `key`, `label` and `service` are looked at. */
void console_service(struct console *console, const struct console_tunnel *tunnel, const char *fault);

/* ---- the forms (console_lines.c, console_json.c, console_live.c) ---- */

enum console_text { TEXT_LINE, TEXT_HINT, TEXT_ERROR };

struct console_form {
    bool wants_kinds;
    void (*text)(struct console *console, enum console_text kind, struct view text);
    void (*request)(struct console *console, const struct console_request *request);
    void (*tunnel)(struct console *console, const struct console_tunnel *tunnel);
    void (*service)(struct console *console, const struct console_tunnel *tunnel, const char *fault);
    void (*latency)(struct console *console, const void *tunnel, uint64_t latency_ms); /* may be NULL */
    void (*end)(struct console *console); /* of the loop: nothing more comes */
};

extern const struct console_form console_lines_form, console_json_form, console_live_form;

#define CONSOLE_HELD_BYTES ((size_t)32 * 1024)

/* The local time, "12:30:01". */
const char *console_clock(struct console *console);
/* The tunnel's URL, or the one that is shared, as a code; none where that cannot be, and then why is said. */
void console_qr(struct console *console, const struct console_tunnel *tunnel, struct qr *ret_qr);
/* Hands on what is in `lines`: in a moment, or now. */
void console_flush_later(struct console *console);
void console_flush(struct console *console);
bool console_request_failed(const struct console_request *request);

static inline bool console_wants_kinds(const struct console *console) {
    return console->form->wants_kinds || console->shows != BOARD_ALL;
}

#endif
