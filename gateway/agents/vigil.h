/* Does the other side of a link live, from which nothing is heard?
 *
 * It is pinged, and a pong comes behind all that was sent before the ping: over a slow line, or from a
 * program that reads slowly, late. So the time for an answer begins when there has been a chance to give one:
 * - while the ping still waits on the way, its TCP taking bytes is a sign of life, whenever it does;
 * - when its TCP has the ping, its program may need as long again for what came before that;
 * - what was written of late it may have to work on, or it waits with somebody in between (a proxy): for that
 *   it is given the time that this takes at 1 Mbit/s.
 *
 * Times are the loop's. It asks nobody: who has it says what happened. */
#ifndef GATEWAY_VIGIL_H
#define GATEWAY_VIGIL_H

#include <stdbool.h>
#include <stdint.h>

#include "sockets/tcp.h"

#define VIGIL_LINE_BYTES_MS 128u                         /* 1 Mbit/s */
#define VIGIL_OWED_BYTES_MAX ((uint64_t)4 * 1024 * 1024) /* what is taken into account: 32 s */
#define VIGIL_READS_MS_MAX 30000u                        /* for what its TCP has, and it has not read */

struct vigil {
    uint64_t heard_ms;
    uint64_t asked_ms; /* by a ping, behind which nothing was heard; 0: not */
    uint64_t owed_ms;  /* what was written before it is worth so long, from then on */
    uint64_t ping_at;  /* where it stands among the bytes that were written; when it is */
    uint64_t acked;
    uint64_t moved_ms; /* when that was last seen to grow */
    uint64_t since_ms; /* the answer could be there since; 0: its TCP has not got the ping yet */
    uint64_t written, owed_bytes, counted_ms;
    bool is_placed, is_in_flight;
};

void vigil_init(struct vigil *vigil, uint64_t now_ms);
/* Anything was heard. */
static inline void vigil_heard(struct vigil *vigil, uint64_t now_ms) {
    vigil->heard_ms = now_ms;
    vigil->asked_ms = 0;
}
/* From time to time, and before vigil_ask(): so many bytes have been written in all. */
void vigil_count(struct vigil *vigil, uint64_t written, uint64_t now_ms);
/* A ping is to be written; and is, as the next bytes. */
void vigil_ask(struct vigil *vigil, const struct tcp_state *tcp, uint64_t now_ms);
void vigil_place(struct vigil *vigil, const struct tcp_state *tcp);
/* From time to time, while it is asked. */
void vigil_look(struct vigil *vigil, const struct tcp_state *tcp, uint64_t now_ms);
/* For how long the answer could have been there by now. 0: not asked, or not at all. */
uint64_t vigil_late_ms(const struct vigil *vigil, uint64_t now_ms);

#endif
