/* AWS Signature Version 4 (AWS General Reference, "Signing AWS API requests"), for every service but S3: the
 * path is encoded once more than it stands on the wire. libcurl's own signer cannot do that for
 * "@connections" paths. */
#ifndef AWS_SIGV4_H
#define AWS_SIGV4_H

#include "base/buf.h"
#include "http/headers.h"

struct aws_credentials {
    struct view access_key, secret_key;
    struct view session_token; /* absent: none */
};

struct sigv4_request {
    struct view method;
    struct view path;  /* as on the wire, without dot segments or empty ones */
    struct view query; /* as on the wire, without '?' */
    struct view body;
};

struct sigv4_scope {
    struct view region, service;
    uint64_t now_s; /* wall clock */
};

#define SIGV4_HEX_LEN 64
#define SIGV4_STAMP_LEN 16 /* 20150830T123600Z */

struct sigv4_signature {
    char stamp[SIGV4_STAMP_LEN + 1], hex[SIGV4_HEX_LEN + 1];
};

/* The signature of a request of which exactly these `headers` are signed, x-amz-date as they have it: for who
 * checks one. What was hashed and what was signed is appended to `canonical` and `to_sign`. */
bool sigv4_compute(const struct sigv4_request *request, const struct sigv4_scope *scope,
                   struct view secret_key, const struct headers *headers, struct buf *canonical,
                   struct buf *to_sign, struct sigv4_signature *ret);
/* Compares in a time that does not tell where the two differ. */
bool sigv4_is_same(const struct sigv4_signature *computed, struct view hex);

/* Adds x-amz-date, x-amz-security-token and authorization to `headers`; all that stands there already, host
 * for one, is signed. False when the arena of `headers` is full or OpenSSL fails. */
bool sigv4_sign(const struct sigv4_request *request, const struct sigv4_scope *scope,
                const struct aws_credentials *credentials, struct headers *headers);

/* Appends `v` with every byte but the unreserved ones of RFC 3986 (and '/', if `keep_slash`) as %XX. */
bool sigv4_encode(struct buf *out, struct view v, bool keep_slash);

#endif
