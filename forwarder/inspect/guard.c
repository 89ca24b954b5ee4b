/* See guard.h. */
#include "inspect/guard.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/ids.h"
#include "http/chars.h"
#include "http/host.h"
#include "policy/login_failures.h"
#include "policy/policy.h"
#include "policy/policy_hash.h"

/* ---- the password ---- */

const char *guard_hash_password(struct view password, char ret_login[GUARD_LOGIN_MAX]) {
    unsigned char salt[8];
    char credentials[sizeof(GUARD_USER) + GUARD_PASSWORD_MAX + 1];
    struct buf rule;
    if (password.len < GUARD_PASSWORD_LEAST) return "wants at least 8 characters";
    if (password.len > GUARD_PASSWORD_MAX) return "is longer than 200 bytes";
    for (size_t i = 0; i < password.len; i++)
        if ((unsigned char)password.ptr[i] < 0x20 || password.ptr[i] == 0x7f)
            return "holds a control character";
    ids_random(salt, sizeof(salt));
    int len = snprintf(credentials, sizeof(credentials), GUARD_USER ":%.*s", VIEW_ARG(password));
    buf_init(&rule, GUARD_LOGIN_MAX);
    bool fits = buf_append_view(&rule, VIEW("basic=")) &&
                policy_hash_append(&rule, view_of(credentials, (size_t)len), salt) &&
                view_copy_to(buf_view(&rule), ret_login, GUARD_LOGIN_MAX);
    buf_done(&rule);
    explicit_bzero(credentials, sizeof(credentials));
    return fits ? NULL : "cannot be hashed";
}

static const char *field(struct MHD_Connection *connection, const char *name) {
    return MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
}

static struct view address_of(struct MHD_Connection *connection, char text[INET6_ADDRSTRLEN]) {
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    const struct sockaddr *address = info ? info->client_addr : NULL;
    const void *bytes = NULL;
    if (address && address->sa_family == AF_INET)
        bytes = &((const struct sockaddr_in *)(const void *)address)->sin_addr;
    else if (address && address->sa_family == AF_INET6)
        bytes = &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;
    if (!bytes || !inet_ntop(address->sa_family, bytes, text, INET6_ADDRSTRLEN)) return VIEW("?");
    return view_from_cstr(text);
}

static bool knows_password(const struct guard *guard, const char *authorization) {
    struct arena arena;
    struct policy_request request = {.authorization = view_from_cstr(authorization), .arena = &arena};
    struct policy_outcome outcome;
    arena_init(&arena, 4096);
    bool knows = policy_check(view_from_cstr(guard->login), &request, &outcome) == POLICY_LETS_IN;
    arena_done(&arena);
    return knows;
}

static struct guard_fault look_at_password(const struct guard *guard, struct MHD_Connection *connection,
                                           uint64_t now_ms) {
    const char *authorization = field(connection, MHD_HTTP_HEADER_AUTHORIZATION);
    char text[INET6_ADDRSTRLEN];
    struct view address = address_of(connection, text);
    if (login_failures_shut_out(guard->failures, VIEW(""), address, now_ms))
        return (struct guard_fault){MHD_HTTP_TOO_MANY_REQUESTS, "too many wrong passwords; wait a minute", 0};
    if (authorization && knows_password(guard, authorization)) return (struct guard_fault){0};
    if (!authorization)
        return (struct guard_fault){MHD_HTTP_UNAUTHORIZED, "the inspector wants its password", 0};
    login_failures_note(guard->failures, VIEW(""), address, view_from_cstr(authorization), now_ms);
    return (struct guard_fault){MHD_HTTP_UNAUTHORIZED, "the user is " GUARD_USER ", and the password another",
                                GUARD_FAILURE_MS};
}

/* ---- pages and programs ---- */

static bool is_own_origin(const char *origin, const char *host) {
    return host && strncmp(origin, "http://", 7) == 0 && strcmp(origin + 7, host) == 0;
}

/* In a time that does not depend on the guess. */
static bool is_key(const struct guard *guard, const char *text) {
    unsigned char differs = 0;
    if (!text || strlen(text) != GUARD_KEY_LEN || !guard->key[0]) return false;
    for (size_t i = 0; i < GUARD_KEY_LEN; i++) differs |= (unsigned char)(text[i] ^ guard->key[i]);
    return differs == 0;
}

/* NULL, or why not. Programs (no Origin) say what they write in JSON, which no form of a page can do. */
static const char *write_fault(const struct guard *guard, struct MHD_Connection *connection,
                               const char *method) {
    const char *type = field(connection, MHD_HTTP_HEADER_CONTENT_TYPE);
    bool is_post = strcmp(method, "DELETE") != 0;
    if (is_key(guard, field(connection, "X-Inspect-Key"))) return NULL;
    if (field(connection, MHD_HTTP_HEADER_ORIGIN) && !guard->login[0])
        return "a page needs the key of the inspector's URL";
    if (is_post && (!type || strncasecmp(type, "application/json", 16) != 0))
        return "the body must be application/json";
    return NULL;
}

static bool says(const char *value, const char *word) {
    return value && strcmp(value, word) == 0;
}

/* A link of whatever page may lead to ours. */
static bool is_opened(struct MHD_Connection *connection) {
    return says(field(connection, "Sec-Fetch-Mode"), "navigate") &&
           says(field(connection, "Sec-Fetch-Dest"), "document");
}

/* Images and their like come without Origin, but with what the Fetch Metadata Request Headers say of them. */
static bool is_of_other_page(struct MHD_Connection *connection, const char *host) {
    const char *site = field(connection, "Sec-Fetch-Site"),
               *origin = field(connection, MHD_HTTP_HEADER_ORIGIN);
    bool is_foreign = site && !says(site, "same-origin") && !says(site, "none");
    return origin ? is_foreign || !is_own_origin(origin, host) : is_foreign && !is_opened(connection);
}

struct guard_fault guard_look(const struct guard *guard, struct MHD_Connection *connection,
                              const char *method, uint64_t now_ms) {
    const char *host = field(connection, MHD_HTTP_HEADER_HOST);
    bool is_ours = host_is_this_machine(host) || (host && strcmp(host, guard->authority) == 0);
    if (guard->is_loopback && !is_ours)
        return (struct guard_fault){MHD_HTTP_MISDIRECTED_REQUEST, "the inspector answers to localhost only",
                                    0};
    if (is_of_other_page(connection, host))
        return (struct guard_fault){MHD_HTTP_FORBIDDEN, "the inspector answers no page but its own", 0};
    struct guard_fault fault = {0};
    if (guard->login[0]) fault = look_at_password(guard, connection, now_ms);
    if (fault.status || strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0) return fault;
    if (strcmp(method, "POST") != 0 && strcmp(method, "DELETE") != 0)
        return (struct guard_fault){MHD_HTTP_METHOD_NOT_ALLOWED, "GET, HEAD, POST and DELETE only", 0};
    fault.why = write_fault(guard, connection, method);
    fault.status = fault.why ? MHD_HTTP_FORBIDDEN : 0;
    return fault;
}

/* ---- life ---- */

static void make_key(char key[GUARD_KEY_LEN + 1]) {
    char part[TUNNEL_ID_LEN + 1];
    for (size_t at = 0; at < GUARD_KEY_LEN; at += TUNNEL_ID_LEN) {
        ids_tunnel(part);
        memcpy(key + at, part, TUNNEL_ID_LEN);
    }
}

bool guard_init(struct guard *guard, const char *url, const char *login, bool is_loopback) {
    uint64_t seed;
    struct view authority = view_skip(view_from_cstr(url), strlen("http://"));
    *guard = (struct guard){.is_loopback = is_loopback};
    view_copy_to(view_slice(authority, 0, view_find(authority, '/')), guard->authority,
                 sizeof(guard->authority));
    snprintf(guard->login, sizeof(guard->login), "%s", login);
    if (!login[0]) {
        make_key(guard->key);
        return true;
    }
    ids_random(&seed, sizeof(seed));
    guard->failures = login_failures_new(seed);
    return guard->failures;
}

void guard_done(struct guard *guard) {
    login_failures_free(guard->failures);
}
