/* See visit.h. How fast a visitor gives what he owes: the body of his request, or reading. Looked at with
 * each sweep, so that bytes cost nothing while they pass.
 *
 * Who owes something uses up his patience as time passes, and gets it back with each byte, up to the whole:
 * so the rate is an average, over that time at most. Who owes nothing has all of it. */
#include "public/visit.h"
#include "sockets/tcp.h"

static bool owes_body(const struct visit *visit) {
    return !visit->answer && visit->credit && request_reader_wants_body(&visit->reader);
}

static bool owes(const struct visit *visit) {
    if (visit->phase != VISIT_ASKED || visit->may_idle) return false;
    return visit->is_blocked || owes_body(visit);
}

/* What his TCP has acknowledged has been read, or will be; what the kernel has taken from us may lie there
 * for long. */
static uint64_t bytes_given(const struct visit *visit) {
    return visit->access.bytes_in + (visit->is_blocked ? tcp_acked_bytes(visit->conn.fd) : 0);
}

static void set_stalled(struct visit *visit, uint64_t since_ms) {
    struct visit_pace *pace = &visit->pace;
    if (pace->stalled_ms == since_ms) return;
    pace->stalled_ms = since_ms;
    list_remove(&visit->waiting);
    if (since_ms) list_append(&visit->side->stalled, &visit->waiting);
    if (visit->exchange) exchange_stalled(visit->exchange, since_ms);
}

static void begin(struct visit *visit, uint64_t now_ms) {
    visit->pace.patience_ms = visit->side->settings.min_rate_grace_ms;
    visit->pace.looked_ms = now_ms;
    visit->pace.bytes = bytes_given(visit);
    set_stalled(visit, 0);
}

/* False: his patience is used up. */
static bool use_patience(struct visit *visit, uint64_t given, uint64_t passed_ms) {
    const struct visitor_settings *settings = &visit->side->settings;
    struct visit_pace *pace = &visit->pace;
    if (!settings->min_rate) return true;
    uint64_t most = settings->min_rate_grace_ms,
             more = given < most ? given * 1000 / settings->min_rate : most;
    uint64_t left = more < most - pace->patience_ms ? pace->patience_ms + more : most;
    pace->patience_ms = left > passed_ms ? left - passed_ms : 0;
    return pace->patience_ms;
}

bool visit_look(struct visit *visit, uint64_t now_ms) {
    struct visit_pace *pace = &visit->pace;
    bool owed = pace->is_owed, is_blocked = pace->is_blocked;
    if (visit->phase != VISIT_ASKED) return true;
    pace->is_owed = owes(visit);
    pace->is_blocked = visit->is_blocked;
    if (!owed || !pace->is_owed || is_blocked != pace->is_blocked) {
        begin(visit, now_ms);
        return true;
    }
    uint64_t bytes = bytes_given(visit), given = bytes - pace->bytes, since = pace->looked_ms;
    pace->bytes = bytes;
    pace->looked_ms = now_ms;
    set_stalled(visit, given ? 0 : pace->stalled_ms ? pace->stalled_ms : since);
    return use_patience(visit, given, now_ms - since);
}
