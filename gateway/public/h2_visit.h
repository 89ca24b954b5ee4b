/* One request of a connection that speaks HTTP/2 (h2_conn.h): a stream of the link's and an exchange of the
 * core's, which hears of it what it hears of a request in HTTP/1.1. */
#ifndef GATEWAY_H2_VISIT_H
#define GATEWAY_H2_VISIT_H

#include "public/h2_conn.h"

/* A request has come; it is answered, whatever becomes of it, or the stream is reset. */
void h2_visit_begin(struct h2_conn *conn, struct link_stream *stream, const struct stream_head *head,
                    bool has_body);
/* With each sweep: who gives too little of what he owes is ended. */
void h2_visits_look(struct h2_conn *conn, uint64_t now_ms);
/* Has each of them, of some, stalled for so long? */
bool h2_visits_have_stalled(const struct h2_conn *conn, uint64_t now_ms, uint64_t least_ms);
/* Bytes of answers that are not sent. */
size_t h2_visits_unsent(const struct h2_conn *conn);

/* ---- h2_request.c ---- */

/* What the core is told of it: fields as they would stand in HTTP/1.1, made in the arena. The error to answer
 * with, or HTTP_ERROR_NONE. */
enum http_error h2_request_read(const struct stream_head *head, bool has_body, struct arena *arena,
                                struct forward_event *ret_event, struct headers *ret_headers);

#endif
