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

/* False: his patience is used up. */
static bool use_patience(struct visit_pace *pace, const struct visitor_settings *settings, uint64_t given,
                         uint64_t passed_ms) {
    if (!settings->min_rate) return true;
    uint64_t most = settings->min_rate_grace_ms,
             more = given < most ? given * 1000 / settings->min_rate : most;
    uint64_t left = more < most - pace->patience_ms ? pace->patience_ms + more : most;
    pace->patience_ms = left > passed_ms ? left - passed_ms : 0;
    return pace->patience_ms;
}

bool pace_look(struct visit_pace *pace, const struct visitor_settings *settings, const struct pace_owed *owed,
               uint64_t now_ms) {
    bool goes_on = pace->is_owed && owed->is_owed && pace->is_blocked == owed->is_blocked;
    uint64_t given = owed->bytes - pace->bytes, since = pace->looked_ms;
    pace->is_owed = owed->is_owed;
    pace->is_blocked = owed->is_blocked;
    pace->bytes = owed->bytes;
    pace->looked_ms = now_ms;
    if (!goes_on) {
        pace->patience_ms = settings->min_rate_grace_ms;
        pace->stalled_ms = 0;
        return true;
    }
    pace->stalled_ms = given ? 0 : pace->stalled_ms ? pace->stalled_ms : since;
    return use_patience(pace, settings, given, now_ms - since);
}

static void note_stalled(struct visit *visit, uint64_t since_ms) {
    list_remove(&visit->waiting);
    if (since_ms) list_append(&visit->side->stalled, &visit->waiting);
    if (visit->exchange) exchange_stalled(visit->exchange, since_ms);
}

bool visit_look(struct visit *visit, uint64_t now_ms) {
    uint64_t stalled_ms = visit->pace.stalled_ms;
    if (visit->phase != VISIT_ASKED) return true;
    const struct pace_owed owed = {
        .is_owed = owes(visit), .is_blocked = visit->is_blocked, .bytes = bytes_given(visit)};
    bool goes_on = pace_look(&visit->pace, &visit->side->settings, &owed, now_ms);
    if (visit->pace.stalled_ms != stalled_ms) note_stalled(visit, visit->pace.stalled_ms);
    return goes_on;
}
