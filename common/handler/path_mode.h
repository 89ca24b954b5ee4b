/* Path mode: an application that was written for "/" is served under "/<id>/". What leads to it by itself is
 * brought under that prefix, in the answer's fields and in bodies whose language is known, and taken off
 * again in the fields of requests (rewrite/).
 *
 * Where the visitor is, and nowhere else: between gateways travel the service's own bytes. What an answer
 * goes through is chosen once, from its head. Bodies of other types, HEAD, 204, 206, 304, event streams and
 * what comes behind a 101 go through nothing. */
#ifndef HANDLER_PATH_MODE_H
#define HANDLER_PATH_MODE_H

#include "handler/event.h"
#include "rewrite/chain.h"

struct exchange;

/* The request's route is known, its fields are those that the service will get. Sets exchange->site in path
 * mode. False without room for the fields. */
bool path_mode_request(struct exchange *exchange);

/* The service's answer, by exchange->site: changes `head` and `headers`, which are those of the head.
 * *ret_chain: what its body goes through, owned by the caller; NULL: nothing. HEAD gets the head that GET
 * would. False without memory, and where the fields have no room. */
bool path_mode_answer(struct exchange *exchange, struct answer_head *head, struct headers *headers,
                      struct chain **ret_chain);

/* Only the fields: of a 101, and where there is nothing else. */
bool path_mode_fields(struct exchange *exchange, struct headers *headers, bool allow_script);

/* A trailer that says something of the service's own bytes. */
bool path_mode_is_of_bytes(const struct header *field);

#endif
