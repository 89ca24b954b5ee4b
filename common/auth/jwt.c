/* See jwt.h. */
#include "auth/jwt.h"

#include <jansson.h>
#include <jwt.h>
#include <stdlib.h>

#include "auth/jws_holds.h"
#include "base/base64.h"
#include "base/ids.h"

#define DATE_MAX 1e15 /* beyond it doubles and dates lose their meaning */

static bool refuse(const char **ret_reason, const char *reason) {
    *ret_reason = reason;
    return false;
}

/* ---- the text ---- */

struct segments {
    struct view header, payload, signature;
};

/* One character too many is no byte (RFC 4648 4), though libjwt 1.17 makes one of it. */
static bool is_base64url(struct view text) {
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        bool good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                    c == '_';
        if (!good) return false;
    }
    return text.len > 0 && text.len % 4 != 1;
}

static bool split(struct view token, struct segments *ret_segments) {
    struct view rest = token;
    return view_split(&rest, '.', &ret_segments->header) && view_split(&rest, '.', &ret_segments->payload) &&
           view_split(&rest, '.', &ret_segments->signature) && !rest.ptr &&
           is_base64url(ret_segments->header) && is_base64url(ret_segments->payload) &&
           is_base64url(ret_segments->signature);
}

/* An object, each of whose names is there once; NULL for anything else. */
static json_t *decode_object(struct view segment) {
    char bytes[JWT_TOKEN_MAX + 3];
    size_t len;
    json_error_t error;
    if (!base64url_decode(segment, bytes, &len)) return NULL;
    json_t *json = json_loadb(bytes, len, JSON_REJECT_DUPLICATES, &error);
    if (json_is_object(json)) return json;
    json_decref(json);
    return NULL;
}

/* ---- the header: which algorithm, which key ---- */

/* HS256 alone, where there is no set. */
static bool read_alg(const struct jwt_settings *settings, const json_t *header, enum jws_alg *ret_alg,
                     const char **ret_reason) {
    struct view name = view_from_cstr(json_string_value(json_object_get(header, "alg")));
    bool known = jws_alg_parse(name, ret_alg);
    if (!settings->keys && (!known || *ret_alg != JWS_HS256))
        return refuse(ret_reason, "the token is not signed with HS256");
    return known ||
           refuse(ret_reason, "the token's algorithm is not one of RS, PS, ES, HS256, 384, 512, or EdDSA");
}

static bool header_is_ours(const json_t *header, const char **ret_reason) {
    const json_t *type = json_object_get(header, "typ");
    if (type && !view_eq_nocase(view_from_cstr(json_string_value(type)), VIEW("JWT")))
        return refuse(ret_reason, "the token is not of type JWT");
    if (json_object_get(header, "crit") || json_object_get(header, "zip"))
        return refuse(ret_reason, "the token asks for extensions that are not known here");
    return true;
}

/* ---- the signature ---- */

static bool is_key(struct view secret) {
    return secret.len >= JWT_SECRET_MIN && secret.len <= INT32_MAX;
}

static bool is_awaited(const struct jwt_settings *settings, struct jwt_claims *ret_claims) {
    const struct jwt_source *source = &settings->source;
    return ret_claims->try_again = source->renews && source->renews(source->ctx);
}

static bool is_signed_by_set(const struct jwt_settings *settings, const json_t *header, enum jws_alg alg,
                             struct view token, struct jwt_claims *ret_claims, const char **ret_reason) {
    const json_t *name = json_object_get(header, "kid");
    const struct jwk *keys[JWKS_TRIES_MAX];
    if (name && !json_is_string(name)) return refuse(ret_reason, "the token's kid is no text");
    struct view kid = view_of(json_string_value(name), json_string_length(name));
    size_t count = jwks_find(settings->keys, alg, kid, keys);
    if (count == 0 && is_awaited(settings, ret_claims))
        return refuse(ret_reason, "the issuer of tokens is being asked for its keys: try again");
    if (count == 0 && name)
        return refuse(ret_reason, "the token's key (kid) is not known here, or not for its algorithm");
    if (count == 0) return refuse(ret_reason, "there is no key for the token's algorithm");
    if (count > JWKS_TRIES_MAX)
        return refuse(ret_reason, "the token does not say which of many keys it is signed with (kid)");
    for (size_t i = 0; i < count; i++)
        if (jws_holds(alg, view_of(keys[i]->material, keys[i]->len), token)) return true;
    return refuse(ret_reason, "the token's signature does not hold");
}

/* A token says nothing of which it is: each is tried. */
static bool is_signed_with_secret(const struct jwt_settings *settings, struct view token) {
    if (is_key(settings->secret) && jws_holds(JWS_HS256, settings->secret, token)) return true;
    for (size_t i = 0; i < JWT_OLDER_MAX; i++)
        if (is_key(settings->older[i]) && jws_holds(JWS_HS256, settings->older[i], token)) return true;
    return false;
}

/* With both a secret and a set HS256 is the secret's, so that no token chooses between them. */
static bool signature_holds(const struct jwt_settings *settings, const json_t *header, struct view token,
                            struct jwt_claims *ret_claims, const char **ret_reason) {
    enum jws_alg alg;
    if (!read_alg(settings, header, &alg, ret_reason)) return false;
    if (settings->keys && (alg != JWS_HS256 || settings->secret.len == 0))
        return is_signed_by_set(settings, header, alg, token, ret_claims, ret_reason);
    return is_signed_with_secret(settings, token) ||
           refuse(ret_reason, "the token's signature does not hold");
}

/* ---- the claims ---- */

/* Seconds since 1970 (RFC 7519 2, NumericDate). */
static bool read_date(const json_t *value, double *ret_s) {
    *ret_s = json_number_value(value);
    return json_is_number(value) && *ret_s >= 0 && *ret_s < DATE_MAX;
}

static bool dates_hold(const struct jwt_settings *settings, const json_t *claims, uint64_t now_s,
                       struct jwt_claims *ret_claims, const char **ret_reason) {
    const json_t *not_before = json_object_get(claims, "nbf"), *issued = json_object_get(claims, "iat");
    double now = (double)now_s, leeway = (double)settings->leeway_s, at;
    if (!json_object_get(claims, "exp")) return refuse(ret_reason, "the token never expires (it has no exp)");
    if (!read_date(json_object_get(claims, "exp"), &at))
        return refuse(ret_reason, "the token's exp is not a date");
    if (at + leeway <= now) return refuse(ret_reason, "the token has expired");
    ret_claims->expires_s = (uint64_t)at;
    if (not_before && !read_date(not_before, &at)) return refuse(ret_reason, "the token's nbf is not a date");
    if (not_before && at > now + leeway) return refuse(ret_reason, "the token is not valid yet");
    if (issued && !read_date(issued, &at)) return refuse(ret_reason, "the token's iat is not a date");
    if (issued && at > now + leeway) return refuse(ret_reason, "the token was issued in the future");
    ret_claims->issued_s = issued ? (uint64_t)at : 0;
    return true;
}

static bool is_text(const json_t *value, struct view text) {
    return json_is_string(value) &&
           view_eq(view_of(json_string_value(value), json_string_length(value)), text);
}

static bool names_audience(const json_t *value, struct view audience) {
    if (is_text(value, audience)) return true;
    for (size_t i = 0; i < json_array_size(value); i++)
        if (is_text(json_array_get(value, i), audience)) return true;
    return false;
}

static bool is_meant_for_us(const struct jwt_settings *settings, const json_t *claims,
                            const char **ret_reason) {
    if (settings->issuer.len && !is_text(json_object_get(claims, "iss"), settings->issuer))
        return refuse(ret_reason, "the token is of another issuer");
    if (settings->audience.len && !names_audience(json_object_get(claims, "aud"), settings->audience))
        return refuse(ret_reason, "the token is for another audience");
    return true;
}

/* It becomes part of claims, resume tokens and log lines. */
static bool keep_text(struct view text, char *out, size_t size) {
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.ptr[i] < 0x20 || text.ptr[i] == 0x7f) return false;
    return text.len > 0 && view_copy_to(text, out, size);
}

static bool keep_subject(struct view subject, struct jwt_claims *ret_claims) {
    return keep_text(subject, ret_claims->subject, sizeof(ret_claims->subject));
}

/* By which it may be revoked: one that cannot be kept must not slip through. */
static bool keep_id(const json_t *id, struct jwt_claims *ret_claims) {
    return !id || (json_is_string(id) && keep_text(view_of(json_string_value(id), json_string_length(id)),
                                                   ret_claims->id, sizeof(ret_claims->id)));
}

static bool claims_hold(const struct jwt_settings *settings, const json_t *claims, uint64_t now_s,
                        struct jwt_claims *ret_claims, const char **ret_reason) {
    const json_t *subject = json_object_get(claims, "sub");
    if (!dates_hold(settings, claims, now_s, ret_claims, ret_reason)) return false;
    if (!is_meant_for_us(settings, claims, ret_reason)) return false;
    if (!json_is_string(subject) ||
        !keep_subject(view_of(json_string_value(subject), json_string_length(subject)), ret_claims))
        return refuse(ret_reason, "the token names no subject (sub)");
    if (!keep_id(json_object_get(claims, "jti"), ret_claims))
        return refuse(ret_reason, "the token's jti is no text of 1 to 128 bytes");
    return allowance_read(claims, &ret_claims->allowance, &ret_claims->names, ret_reason);
}

bool jwt_check(const struct jwt_settings *settings, struct view token, uint64_t now_s,
               struct jwt_claims *ret_claims, const char **ret_reason) {
    struct segments segments;
    *ret_claims = (struct jwt_claims){.subject = ""};
    if (token.len > JWT_TOKEN_MAX) return refuse(ret_reason, "the token is too long");
    if (!split(token, &segments)) return refuse(ret_reason, "the token is malformed");
    json_t *header = decode_object(segments.header), *claims = decode_object(segments.payload);
    bool good = false;
    if (!header || !claims)
        refuse(ret_reason, "the token is malformed");
    else
        good = header_is_ours(header, ret_reason) &&
               signature_holds(settings, header, token, ret_claims, ret_reason) &&
               claims_hold(settings, claims, now_s, ret_claims, ret_reason);
    json_decref(header);
    json_decref(claims);
    return good;
}

/* ---- making one ---- */

static bool add_text(jwt_t *jwt, const char *name, struct view value) {
    char *text = value.len ? view_to_cstr(value) : NULL;
    bool added = value.len == 0 || (text && jwt_add_grant(jwt, name, text) == 0);
    free(text);
    return added;
}

static bool fill(jwt_t *jwt, const struct jwt_settings *settings, const char *subject, uint64_t now_s,
                 uint64_t lifetime_s) {
    char id[UUID_LEN + 1];
    ids_uuid4(id); /* by which it can be revoked */
    return jwt_add_grant(jwt, "sub", subject) == 0 && jwt_add_grant(jwt, "jti", id) == 0 &&
           jwt_add_grant_int(jwt, "iat", (long)now_s) == 0 &&
           jwt_add_grant_int(jwt, "exp", (long)(now_s + lifetime_s)) == 0 &&
           add_text(jwt, "aud", settings->audience) && add_text(jwt, "iss", settings->issuer) &&
           (!settings->issue_more || jwt_add_grants_json(jwt, settings->issue_more) == 0) &&
           jwt_set_alg(jwt, JWT_ALG_HS256, (const unsigned char *)settings->secret.ptr,
                       (int)settings->secret.len) == 0;
}

bool jwt_issue(const struct jwt_settings *settings, struct view subject, uint64_t now_s, uint64_t lifetime_s,
               struct buf *out) {
    struct jwt_claims claims;
    jwt_t *jwt = NULL;
    if (!is_key(settings->secret)) return false;
    if (now_s + lifetime_s < now_s || (double)(now_s + lifetime_s) >= DATE_MAX) return false;
    if (!keep_subject(subject, &claims) || jwt_new(&jwt) != 0) return false;
    char *text = fill(jwt, settings, claims.subject, now_s, lifetime_s) ? jwt_encode_str(jwt) : NULL;
    bool made = text && strlen(text) <= JWT_TOKEN_MAX && buf_append_view(out, view_from_cstr(text));
    free(text);
    jwt_free(jwt);
    return made;
}
