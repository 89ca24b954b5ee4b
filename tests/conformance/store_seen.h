/* What the files of the suite share: what came back of one store, and calls that each ask, see that nothing
 * fired inside, let the store work, and see one completion. */
#ifndef CONFORMANCE_STORE_SEEN_H
#define CONFORMANCE_STORE_SEEN_H

#include "store_suite.h"

/* What came back: the last completion and all events. */
struct seen {
    struct store_fixture *store;
    unsigned completions;
    uint64_t ticket;
    enum status status;
    struct claim claim;
    char options[CLAIM_OPTIONS_MAX + 1];
    char request_id[V1_REQUEST_ID_MAX + 1];
    struct v1_message *answer;
    size_t removed;
    unsigned changed, completed;
    char changed_id[TUNNEL_NAME_MAX + 1], completed_id[V1_REQUEST_ID_MAX + 1];
};

int seen_set_up(void **state);
int seen_tear_down(void **state);

/* For completions; the ticket is 42. */
void seen_note(struct seen *seen, uint64_t ticket, enum status status);
enum status seen_settle(struct seen *seen);

enum status seen_put(struct seen *seen, const char *connection_id, uint64_t in_ms);
/* With a 201 whose body is `body`, in base64. */
enum status seen_complete(struct seen *seen, const char *request_id, const char *connection_id,
                          const char *body);
enum status seen_take(struct seen *seen, const char *request_id);

#define ANY_STATE (CLAIM_CONNECTING | CLAIM_READY | CLAIM_OFFLINE)

/* CONNECTING, for a minute. */
struct claim seen_claim(const struct seen *seen, const char *tunnel_id, const char *connection_id,
                        uint64_t epoch);
enum status seen_write(struct seen *seen, const struct claim_write *write);
/* What was found is in `claim` and `options`. */
enum status seen_lookup(struct seen *seen, const char *tunnel_id);
enum status seen_lookup_connection(struct seen *seen, const char *connection_id);

/* store_options.c and store_pieces.c; the number of failed tests. */
int store_options_run(const char *name);
int store_pieces_run(const char *name);

#endif
