/* See signature.h. Sources: AWS General Reference, "Signing AWS API requests" and "Troubleshooting AWS
 * Signature Version 4 errors", and what API Gateway was seen to answer. */
#include "apigw/signature.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define ALGORITHM VIEW("AWS4-HMAC-SHA256")
#define LIFE_S 300
#define CANONICAL_MAX ((size_t)64 * 1024)
#define MISSING "MissingAuthenticationTokenException"
#define INCOMPLETE "IncompleteSignatureException"
#define UNRECOGNIZED "UnrecognizedClientException"
#define INVALID "InvalidSignatureException"

/* What the Authorization field says, in views into it. */
struct claimed {
    struct view access_key, day, region, service, signed_headers, signature;
};

static struct signature_verdict wrong(const char *type, struct view message) {
    return (struct signature_verdict){.type = type, .message = message};
}

static bool is_right(struct signature_verdict verdict) {
    return verdict.type == NULL;
}

/* ---- the Authorization field ---- */

static struct signature_verdict read_credential(struct view credential, struct claimed *claimed,
                                                struct arena *arena) {
    struct view rest = credential, end = {0},
                *const parts[] = {&claimed->access_key, &claimed->day, &claimed->region, &claimed->service,
                                  &end};
    size_t count = 0;
    for (struct view part; view_split(&rest, '/', &part); count++)
        if (count < 5) *parts[count] = part;
    if (count != 5)
        return wrong(INCOMPLETE, arena_printf(arena,
                                              "Credential must have exactly 5 slash-delimited elements, e.g. "
                                              "keyid/date/region/service/term, got '%.*s'",
                                              VIEW_ARG(view_slice(credential, 0, 200))));
    if (!view_eq(end, VIEW("aws4_request")))
        return wrong(INVALID, arena_printf(arena,
                                           "Credential should be scoped with a valid terminator: "
                                           "'aws4_request', not '%.*s'.",
                                           VIEW_ARG(view_slice(end, 0, 100))));
    return wrong(NULL, (struct view){0});
}

static struct signature_verdict missing_parameters(const struct claimed *claimed, struct view credential,
                                                   struct arena *arena) {
    return wrong(
        INCOMPLETE,
        arena_printf(
            arena, "%s%s%sAuthorization=AWS4-HMAC-SHA256",
            credential.ptr ? "" : "Authorization header requires 'Credential' parameter. ",
            claimed->signature.ptr ? "" : "Authorization header requires 'Signature' parameter. ",
            claimed->signed_headers.ptr ? "" : "Authorization header requires 'SignedHeaders' parameter. "));
}

static struct signature_verdict read_authorization(struct view field, struct claimed *claimed,
                                                   struct arena *arena) {
    struct view credential = {0}, piece;
    *claimed = (struct claimed){0};
    if (!field.ptr) return wrong(MISSING, VIEW("Missing Authentication Token"));
    size_t space = view_find(field, ' ');
    struct view rest = view_skip(field, space);
    if (!view_eq(view_slice(field, 0, space), ALGORITHM)) rest = field;
    while (view_split(&rest, ',', &piece)) {
        piece = view_trim(piece);
        size_t equals = view_find(piece, '=');
        struct view name = view_slice(piece, 0, equals), value = view_skip(piece, equals + 1);
        if (equals == piece.len)
            return wrong(
                INCOMPLETE,
                arena_printf(
                    arena, "'%.*s' not a valid key=value pair (missing equal-sign) in Authorization header.",
                    VIEW_ARG(view_slice(piece, 0, 200))));
        if (view_eq(name, VIEW("Credential"))) credential = value;
        if (view_eq(name, VIEW("SignedHeaders"))) claimed->signed_headers = value;
        if (view_eq(name, VIEW("Signature"))) claimed->signature = value;
    }
    if (!credential.ptr || !claimed->signed_headers.ptr || !claimed->signature.ptr)
        return missing_parameters(claimed, credential, arena);
    return read_credential(credential, claimed, arena);
}

/* ---- who, when, for what ---- */

static struct signature_verdict check_who(const struct signature_rules *rules, const struct claimed *claimed,
                                          const struct headers *headers) {
    struct view token = headers_get(headers, VIEW("x-amz-security-token"));
    if (view_eq(claimed->access_key, rules->credentials.access_key) &&
        view_eq(token, rules->credentials.session_token))
        return wrong(NULL, (struct view){0});
    return wrong(UNRECOGNIZED, VIEW("The security token included in the request is invalid."));
}

static struct signature_verdict check_scope(const struct signature_rules *rules,
                                            const struct claimed *claimed, struct arena *arena) {
    bool region = view_eq(claimed->region, rules->region),
         service = view_eq(claimed->service, rules->service);
    if (region && service) return wrong(NULL, (struct view){0});
    struct view name = service ? VIEW("") : rules->service;
    return wrong(INVALID, arena_printf(arena, "%s%s%.*s%s",
                                       region ? "" : "Credential should be scoped to a valid region. ",
                                       service ? "" : "Credential should be scoped to correct service: '",
                                       VIEW_ARG(name), service ? "" : "'. "));
}

/* Of X-Amz-Date, or Date: seconds since 1970, and the stamp that says the same. 0: there is none. */
static uint64_t read_date(const struct headers *headers, char stamp[SIGV4_STAMP_LEN + 1]) {
    struct view field = headers_get(headers, VIEW("x-amz-date"));
    const char *format = field.ptr ? "%Y%m%dT%H%M%SZ" : "%a, %d %b %Y %H:%M:%S GMT";
    char text[40];
    struct tm utc = {0};
    if (!field.ptr) field = headers_get(headers, VIEW("date"));
    if (!field.ptr || !view_copy_to(view_trim(field), text, sizeof(text))) return 0;
    const char *end = strptime(text, format, &utc);
    time_t then = end && *end == '\0' ? timegm(&utc) : 0;
    if (then <= 0 || strftime(stamp, SIGV4_STAMP_LEN + 1, "%Y%m%dT%H%M%SZ", &utc) == 0) return 0;
    return (uint64_t)then;
}

static void print_stamp(uint64_t s, char stamp[SIGV4_STAMP_LEN + 1]) {
    time_t then = (time_t)s;
    struct tm utc;
    gmtime_r(&then, &utc);
    strftime(stamp, SIGV4_STAMP_LEN + 1, "%Y%m%dT%H%M%SZ", &utc);
}

static struct signature_verdict check_date(const struct claimed *claimed, uint64_t date_s, const char *stamp,
                                           uint64_t now_s, struct arena *arena) {
    char now[SIGV4_STAMP_LEN + 1], bound[SIGV4_STAMP_LEN + 1];
    print_stamp(now_s, now);
    if (date_s == 0)
        return wrong(INCOMPLETE, VIEW("Authorization header requires existence of either a 'X-Amz-Date' or a "
                                      "'Date' header. Authorization=AWS4-HMAC-SHA256"));
    if (!view_eq(claimed->day, view_of(stamp, 8)))
        return wrong(INVALID, arena_printf(arena,
                                           "Date in Credential scope does not match YYYYMMDD from ISO-8601 "
                                           "version of date from HTTP: '%.*s' != '%.8s', from '%s'.",
                                           VIEW_ARG(view_slice(claimed->day, 0, 20)), stamp, stamp));
    if (date_s + LIFE_S < now_s) {
        print_stamp(now_s - LIFE_S, bound);
        return wrong(INVALID,
                     arena_printf(arena, "Signature expired: %s is now earlier than %s (%s - 5 min.)", stamp,
                                  bound, now));
    }
    if (date_s > now_s + LIFE_S) {
        print_stamp(now_s + LIFE_S, bound);
        return wrong(INVALID,
                     arena_printf(arena, "Signature not yet current: %s is still later than %s (%s + 5 min.)",
                                  stamp, bound, now));
    }
    return wrong(NULL, (struct view){0});
}

/* ---- the signature ---- */

static bool is_signed(const struct claimed *claimed, struct view name) {
    struct view rest = claimed->signed_headers, piece;
    while (view_split(&rest, ';', &piece))
        if (view_eq(piece, name)) return true;
    return false;
}

/* Those that must be. */
static struct signature_verdict check_signed(const struct claimed *claimed, const struct headers *headers,
                                             struct arena *arena) {
    if (!is_signed(claimed, VIEW("host")))
        return wrong(INVALID,
                     VIEW("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization."));
    for (size_t i = 0; i < headers->count; i++) {
        struct view name = headers->fields[i].name;
        if (view_starts_with(name, VIEW("x-amz-")) && !is_signed(claimed, name))
            return wrong(INVALID,
                         arena_printf(arena, "'%.*s' must be a 'SignedHeader' in the AWS Authorization.",
                                      VIEW_ARG(view_slice(name, 0, 100))));
    }
    return wrong(NULL, (struct view){0});
}

/* One that is named and did not come counts as empty. */
static bool collect_signed(const struct claimed *claimed, const struct headers *headers,
                           struct headers *chosen) {
    struct view rest = claimed->signed_headers, name;
    while (view_split(&rest, ';', &name)) {
        size_t before = chosen->count;
        for (size_t i = 0; i < headers->count; i++)
            if (view_eq(headers->fields[i].name, name) &&
                !headers_add(chosen, name, headers->fields[i].value))
                return false;
        if (chosen->count == before && !headers_add(chosen, name, VIEW(""))) return false;
    }
    return true;
}

static struct signature_verdict compare(const struct claimed *claimed,
                                        const struct sigv4_signature *signature, struct view canonical,
                                        struct view to_sign, struct arena *arena) {
    if (sigv4_is_same(signature, claimed->signature)) return wrong(NULL, (struct view){0});
    return wrong(
        INVALID,
        arena_printf(arena,
                     "The request signature we calculated does not match the signature you provided. "
                     "Check your AWS Secret Access Key and signing method. Consult the service "
                     "documentation for details.\n\nThe Canonical String for this request should "
                     "have been\n'%.*s'\n\nThe String-to-Sign should have been\n'%.*s'\n",
                     VIEW_ARG(canonical), VIEW_ARG(to_sign)));
}

static struct signature_verdict check_signature(const struct signature_rules *rules,
                                                const struct sigv4_request *request,
                                                const struct claimed *claimed, const struct headers *headers,
                                                uint64_t date_s, struct arena *arena) {
    const struct sigv4_scope scope = {claimed->region, claimed->service, date_s};
    struct sigv4_signature signature;
    struct headers chosen;
    struct buf canonical, to_sign;
    headers_init(&chosen, arena);
    buf_init(&canonical, CANONICAL_MAX);
    buf_init(&to_sign, 1024);
    struct signature_verdict verdict =
        wrong(INVALID, VIEW("The request cannot be put in its canonical form."));
    if (collect_signed(claimed, headers, &chosen) &&
        sigv4_compute(request, &scope, rules->credentials.secret_key, &chosen, &canonical, &to_sign,
                      &signature))
        verdict = compare(claimed, &signature, buf_view(&canonical), buf_view(&to_sign), arena);
    buf_done(&canonical);
    buf_done(&to_sign);
    return verdict;
}

struct signature_verdict signature_check(const struct signature_rules *rules,
                                         const struct sigv4_request *request, const struct headers *headers,
                                         uint64_t now_s, struct arena *arena) {
    struct claimed claimed;
    char stamp[SIGV4_STAMP_LEN + 1] = "";
    uint64_t date_s = read_date(headers, stamp);
    struct signature_verdict verdict =
        read_authorization(headers_get(headers, VIEW("authorization")), &claimed, arena);
    if (is_right(verdict)) verdict = check_date(&claimed, date_s, stamp, now_s, arena);
    if (is_right(verdict)) verdict = check_who(rules, &claimed, headers);
    if (is_right(verdict)) verdict = check_scope(rules, &claimed, arena);
    if (is_right(verdict)) verdict = check_signed(&claimed, headers, arena);
    if (is_right(verdict)) verdict = check_signature(rules, request, &claimed, headers, date_s, arena);
    return verdict;
}
