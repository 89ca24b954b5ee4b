/* See vigil.h. */
#include "agents/vigil.h"

static uint64_t later(uint64_t a, uint64_t b) {
    return a > b ? a : b;
}

void vigil_init(struct vigil *vigil, uint64_t now_ms) {
    *vigil = (struct vigil){.heard_ms = now_ms, .counted_ms = now_ms};
}

void vigil_count(struct vigil *vigil, uint64_t written, uint64_t now_ms) {
    uint64_t passed = (now_ms - vigil->counted_ms) * VIGIL_LINE_BYTES_MS;
    uint64_t owed = vigil->owed_bytes > passed ? vigil->owed_bytes - passed : 0;
    owed += written - vigil->written;
    vigil->owed_bytes = owed < VIGIL_OWED_BYTES_MAX ? owed : VIGIL_OWED_BYTES_MAX;
    vigil->written = written;
    vigil->counted_ms = now_ms;
}

void vigil_ask(struct vigil *vigil, const struct tcp_state *tcp, uint64_t now_ms) {
    vigil->asked_ms = vigil->moved_ms = now_ms;
    vigil->owed_ms = now_ms + vigil->owed_bytes / VIGIL_LINE_BYTES_MS;
    vigil->acked = tcp->acked;
    vigil->since_ms = 0;
    vigil->is_placed = false;
    vigil->is_in_flight = tcp->is_in_flight;
}

void vigil_place(struct vigil *vigil, const struct tcp_state *tcp) {
    vigil->ping_at = tcp->written;
    vigil->is_placed = true;
    /* nothing is before it */
    if (tcp->written == tcp->acked) vigil->since_ms = later(vigil->asked_ms, vigil->owed_ms);
}

void vigil_look(struct vigil *vigil, const struct tcp_state *tcp, uint64_t now_ms) {
    if (!vigil->asked_ms || vigil->since_ms) return;
    if (tcp->acked != vigil->acked) vigil->moved_ms = now_ms;
    vigil->acked = tcp->acked;
    vigil->is_in_flight = tcp->is_in_flight;
    if (!vigil->is_placed || tcp->acked <= vigil->ping_at) return;
    uint64_t took_ms = now_ms - vigil->asked_ms;
    vigil->since_ms =
        later(vigil->owed_ms, now_ms + (took_ms < VIGIL_READS_MS_MAX ? took_ms : VIGIL_READS_MS_MAX));
}

/* With nothing in flight the line is not to blame: its program has not made room for more. */
uint64_t vigil_late_ms(const struct vigil *vigil, uint64_t now_ms) {
    uint64_t since = vigil->since_ms;
    if (!vigil->asked_ms) return 0;
    if (!since) since = vigil->is_in_flight ? vigil->moved_ms : later(vigil->moved_ms, vigil->owed_ms);
    return now_ms > since ? now_ms - since : 0;
}
