/* What an authority says (RFC 8555 7.1), read with limits: none of it is believed further than that the next
 * question goes where it says. Texts end with a NUL; one that was not there is empty. */
#ifndef GATEWAY_ACME_ANSWER_H
#define GATEWAY_ACME_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/view.h"

#define ACME_JSON_MAX ((size_t)64 * 1024)
#define ACME_URL_MAX 1024
#define ACME_TOKEN_MAX 255
#define ACME_NONCE_MAX 255
#define ACME_NAME_MAX 253
#define ACME_NAMES_MAX 2 /* of one order: a domain, and its wildcard */

struct acme_directory {
    char new_nonce[ACME_URL_MAX + 1], new_account[ACME_URL_MAX + 1], new_order[ACME_URL_MAX + 1];
    char terms[ACME_URL_MAX + 1];
    bool wants_binding; /* accounts must belong to another one, made by hand (7.3.4) */
};

enum acme_state { ACME_PENDING, ACME_READY, ACME_PROCESSING, ACME_VALID, ACME_INVALID };

/* RFC 8555 6.7. */
struct acme_problem {
    char type[64]; /* without "urn:ietf:params:acme:error:" */
    char detail[400];
};

struct acme_order_word {
    enum acme_state state;
    char authorizations[ACME_NAMES_MAX][ACME_URL_MAX + 1];
    size_t count;
    char finalize[ACME_URL_MAX + 1], certificate[ACME_URL_MAX + 1];
    struct acme_problem problem;
};

enum acme_way { ACME_HTTP, ACME_TLS, ACME_DNS, ACME_WAYS };

struct acme_challenge {
    char url[ACME_URL_MAX + 1]; /* empty: it is not offered */
    char token[ACME_TOKEN_MAX + 1];
};

struct acme_authorization {
    enum acme_state state;
    char name[ACME_NAME_MAX + 1];
    struct acme_challenge challenges[ACME_WAYS];
    struct acme_problem problem; /* of the challenge that failed */
};

/* "http-01" */
const char *acme_way_name(enum acme_way way);

/* False: it is no such thing, or not within the limits. */
bool acme_directory_parse(struct view json, struct acme_directory *ret_directory);
bool acme_order_parse(struct view json, struct acme_order_word *ret_order);
bool acme_authorization_parse(struct view json, struct acme_authorization *ret_authorization);
/* Of anything; where it is no problem, both texts are empty. */
void acme_problem_parse(struct view json, struct acme_problem *ret_problem);

/* https, at most ACME_URL_MAX bytes, none that needs an escape. */
bool acme_url_is_good(struct view url);
/* base64url, as nonces and tokens are (6.5.1, 8.1), of at most `max` bytes. */
bool acme_word_is_good(struct view word, size_t max);
/* Retry-After in seconds (a date is passed over), a day at most; 0: unsaid. In milliseconds. */
uint64_t acme_retry_after_ms(struct view value);

#endif
