/* The newest STORE_RECORDS_MAX requests that have passed, and their answers, as far as memory allows: of each
 * direction of a body the first STORE_BODY_MAX bytes are kept and the rest is counted. When a bound is
 * passed, the oldest go first, also those that have not ended; what is told of them afterwards is dropped.
 *
 * Nobody scrolls through more, and so it takes a few MiB where requests are small.
 *
 * No I/O and no clock: times are given. */
#ifndef FORWARDER_INSPECT_STORE_H
#define FORWARDER_INSPECT_STORE_H

#include "base/buf.h"
#include "inspect/watch.h"

#define STORE_BODY_MAX ((size_t)256 * 1024)
#define STORE_RECORDS_MAX 4000
#define STORE_BYTES_LEAST ((size_t)1024 * 1024)

/* Half of a record. The views live as long as it does. */
struct store_message {
    struct header *fields;
    size_t count;
    struct buf body;     /* the first bytes of it; its `max` is what was announced, if that is less */
    uint64_t body_bytes; /* all that passed */
    bool is_there;
};

struct store_record {
    uint64_t id; /* from 1, in the order of their begin */
    struct view tunnel, method, target, upgrade;
    uint64_t wall_ms;                     /* of its begin, since 1970 */
    uint64_t began_ms, head_ms, ended_ms; /* of the loop's clock; 0: not yet */
    uint64_t replay_of;                   /* the record that it repeats; 0: none */
    int64_t announced;                    /* watch_request.body_bytes */
    int status, service_status;           /* what the visitor got; what the service said; 0: nothing */
    const char *code;                     /* static; NULL: the answer was whole */
    char *detail;
    struct store_message request, answer; /* the request's text is behind the record */
    void *answer_block;                   /* of the answer's */
    size_t room, answer_room;             /* for either */
    size_t bytes;                         /* of memory, with all that hangs on it */
};

struct store {
    size_t max_bytes, bytes;
    struct store_record **ring; /* of `cap`, a power of two; record `id` is at id % cap */
    size_t cap;
    uint64_t first, next;       /* ids; a record of this range may have been taken out (NULL) */
    struct store_record *held;  /* store_hold(); or NULL */
    struct store_record *spare; /* the one that went last: its memory is the next one's; or NULL */
    uint64_t changes;           /* counts up with all that happens */
    uint64_t total;             /* requests ever */
};

/* `max_bytes` is STORE_BYTES_LEAST or more. Allocates nothing. */
void store_init(struct store *store, size_t max_bytes);
void store_done(struct store *store);
/* Forgets all records; ids go on. */
void store_clear(struct store *store);

/* As struct watch says it. Returns the id, or 0 without memory. */
uint64_t store_request(struct store *store, const struct watch_request *request, uint64_t wall_ms,
                       uint64_t now_ms);
void store_request_body(struct store *store, uint64_t id, struct view data);
void store_answer(struct store *store, uint64_t id, int status, const struct headers *headers,
                  uint64_t now_ms);
void store_answer_body(struct store *store, uint64_t id, struct view data);
void store_end(struct store *store, uint64_t id, const struct watch_end *end, uint64_t now_ms);

/* NULL: it never was, or is no more. */
struct store_record *store_find(const struct store *store, uint64_t id);
/* The record stays as it is until store_let_go(), also when it is pushed out; one at a time. */
struct store_record *store_hold(struct store *store, uint64_t id);
void store_let_go(struct store *store);
/* Whether its request's body is there as a whole, so that it may be repeated. */
bool store_can_be_repeated(const struct store_record *record);

#endif
