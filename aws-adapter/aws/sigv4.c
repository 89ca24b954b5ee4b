/* See sigv4.h. The canonical request is put together in one buffer, hashed, and the hash signed with a key
 * that is the secret hashed with day, region and service. */
#include "aws/sigv4.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <time.h>

#include "base/hex.h"

enum { HASH_LEN = 32, CANONICAL_MAX = 256 * 1024, PARAMETERS_MAX = 64, HEADERS_MAX = 64 };

/* ---- hashes ---- */

static void to_hex(const unsigned char hash[HASH_LEN], char out[SIGV4_HEX_LEN + 1]) {
    *hex_print(out, hash, HASH_LEN) = '\0';
}

static bool hash_hex(struct view v, char out[SIGV4_HEX_LEN + 1]) {
    unsigned char hash[HASH_LEN];
    unsigned len = 0;
    if (!EVP_Digest(v.len ? v.ptr : "", v.len, hash, &len, EVP_sha256(), NULL)) return false;
    to_hex(hash, out);
    return true;
}

static bool mac(struct view key, struct view text, unsigned char out[HASH_LEN]) {
    unsigned len = 0;
    return key.len <= INT32_MAX && HMAC(EVP_sha256(), key.ptr, (int)key.len, (const unsigned char *)text.ptr,
                                        text.len, out, &len) != NULL;
}

/* ---- the canonical request ---- */

static bool is_unreserved(char byte) {
    return (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9') ||
           byte == '-' || byte == '.' || byte == '_' || byte == '~';
}

bool sigv4_encode(struct buf *out, struct view v, bool keep_slash) {
    for (size_t i = 0; i < v.len; i++) {
        static const char digits[] = "0123456789ABCDEF";
        unsigned char byte = (unsigned char)v.ptr[i];
        char escape[3] = {'%', digits[byte >> 4], digits[byte & 15]};
        bool plain = is_unreserved(v.ptr[i]) || (keep_slash && byte == '/');
        if (!(plain ? buf_append_byte(out, v.ptr[i]) : buf_append(out, escape, 3))) return false;
    }
    return true;
}

/* What stands on the wire is read first: "%7e" and "~" are the same here. */
static bool encode_again(struct buf *out, struct view v) {
    for (size_t i = 0; i < v.len; i++) {
        int byte = percent_byte(view_skip(v, i));
        char decoded = byte < 0 ? v.ptr[i] : (char)byte;
        if (byte >= 0) i += 2;
        if (!sigv4_encode(out, view_of(&decoded, 1), false)) return false;
    }
    return true;
}

static int compare_views(struct view a, struct view b) {
    size_t len = a.len < b.len ? a.len : b.len;
    int order = len ? memcmp(a.ptr, b.ptr, len) : 0;
    return order ? order : (a.len > b.len) - (a.len < b.len);
}

struct parameter {
    struct view name, value;
};

static int compare_parameters(const void *a, const void *b) {
    const struct parameter *one = a, *two = b;
    int order = compare_views(one->name, two->name);
    return order ? order : compare_views(one->value, two->value);
}

static struct view encoded(struct buf *room, struct view v) {
    size_t before = room->len;
    return encode_again(room, v) ? view_skip(buf_view(room), before) : (struct view){0};
}

static bool append_parameters(struct buf *out, const struct parameter *parameters, size_t count) {
    bool ok = true;
    for (size_t i = 0; i < count && ok; i++)
        ok = (i == 0 || buf_append_byte(out, '&')) && buf_append_view(out, parameters[i].name) &&
             buf_append_byte(out, '=') && buf_append_view(out, parameters[i].value);
    return ok;
}

/* Sorted by what they look like once encoded. */
static bool append_query(struct buf *out, struct view query) {
    struct parameter parameters[PARAMETERS_MAX];
    size_t count = 0;
    struct view piece;
    struct buf room;
    buf_init(&room, 3 * query.len + 1);
    bool ok = buf_reserve(&room, 3 * query.len + 1) != NULL; /* once: views into it must not move */
    while (ok && query.len > 0 && view_split(&query, '&', &piece)) {
        size_t equals = view_find(piece, '=');
        ok = count < PARAMETERS_MAX;
        if (!ok || piece.len == 0) continue;
        parameters[count].name = encoded(&room, view_slice(piece, 0, equals));
        parameters[count++].value = encoded(&room, view_skip(piece, equals + 1));
    }
    if (ok && count > 1) qsort(parameters, count, sizeof(parameters[0]), compare_parameters);
    ok = ok && !room.failed && append_parameters(out, parameters, count);
    buf_done(&room);
    return ok;
}

/* By name; those of one name stay as they came. */
static void sort_headers(struct header *fields, size_t count) {
    for (size_t i = 1; i < count; i++) {
        struct header field = fields[i];
        size_t at = i;
        for (; at > 0 && compare_views(fields[at - 1].name, field.name) > 0; at--)
            fields[at] = fields[at - 1];
        fields[at] = field;
    }
}

/* Without white space at the ends, each run of it inside as one space. */
static bool append_value(struct buf *out, struct view value) {
    value = view_trim(value);
    for (size_t i = 0; i < value.len; i++) {
        bool space = value.ptr[i] == ' ', before = i > 0 && value.ptr[i - 1] == ' ';
        if (space && before) continue;
        if (!buf_append_byte(out, value.ptr[i])) return false;
    }
    return true;
}

static bool append_headers(struct buf *out, const struct header *sorted, size_t count) {
    bool ok = true;
    for (size_t i = 0; i < count && ok; i++) {
        bool same = i > 0 && view_eq(sorted[i].name, sorted[i - 1].name);
        bool next_same = i + 1 < count && view_eq(sorted[i].name, sorted[i + 1].name);
        if (!same) ok = buf_append_view(out, sorted[i].name) && buf_append_byte(out, ':');
        ok = ok && append_value(out, sorted[i].value) && buf_append_byte(out, next_same ? ',' : '\n');
    }
    return ok;
}

static bool append_names(struct buf *out, const struct header *sorted, size_t count) {
    bool ok = true;
    for (size_t i = 0; i < count && ok; i++) {
        if (i > 0 && view_eq(sorted[i].name, sorted[i - 1].name)) continue;
        ok = (i == 0 || buf_append_byte(out, ';')) && buf_append_view(out, sorted[i].name);
    }
    return ok;
}

static bool append_canonical(struct buf *out, const struct sigv4_request *request,
                             const struct header *sorted, size_t count) {
    char body[SIGV4_HEX_LEN + 1];
    return buf_append_view(out, request->method) && buf_append_byte(out, '\n') &&
           sigv4_encode(out, request->path, true) && buf_append_byte(out, '\n') &&
           append_query(out, request->query) && buf_append_byte(out, '\n') &&
           append_headers(out, sorted, count) && buf_append_byte(out, '\n') &&
           append_names(out, sorted, count) && buf_append_byte(out, '\n') && hash_hex(request->body, body) &&
           buf_printf(out, "%s", body);
}

/* ---- the signature ---- */

static bool signing_key(const struct sigv4_scope *scope, struct view secret, struct view day,
                        unsigned char out[HASH_LEN]) {
    char first[256];
    unsigned char keys[3][HASH_LEN];
    if (secret.len > sizeof(first) - 4) return false;
    memcpy(first, "AWS4", 4);
    memcpy(first + 4, secret.ptr, secret.len);
    bool ok = mac(view_of(first, 4 + secret.len), day, keys[0]) &&
              mac(view_of(keys[0], HASH_LEN), scope->region, keys[1]) &&
              mac(view_of(keys[1], HASH_LEN), scope->service, keys[2]) &&
              mac(view_of(keys[2], HASH_LEN), VIEW("aws4_request"), out);
    explicit_bzero(first, sizeof(first));
    explicit_bzero(keys, sizeof(keys));
    return ok;
}

static bool make_stamp(const struct sigv4_scope *scope, char out[SIGV4_STAMP_LEN + 1]) {
    time_t now = (time_t)scope->now_s;
    struct tm utc;
    return gmtime_r(&now, &utc) && strftime(out, SIGV4_STAMP_LEN + 1, "%Y%m%dT%H%M%SZ", &utc) > 0;
}

static struct view day_of(const char stamp[SIGV4_STAMP_LEN + 1]) {
    return view_of(stamp, 8);
}

static bool sign_canonical(const struct sigv4_scope *scope, struct view secret_key, struct view canonical,
                           struct buf *to_sign, struct sigv4_signature *ret) {
    char hash[SIGV4_HEX_LEN + 1];
    unsigned char key[HASH_LEN], signature[HASH_LEN];
    struct view day = day_of(ret->stamp);
    size_t before = to_sign->len;
    bool ok = hash_hex(canonical, hash) &&
              buf_printf(to_sign, "AWS4-HMAC-SHA256\n%s\n%.*s/%.*s/%.*s/aws4_request\n%s", ret->stamp,
                         VIEW_ARG(day), VIEW_ARG(scope->region), VIEW_ARG(scope->service), hash) &&
              signing_key(scope, secret_key, day, key) &&
              mac(view_of(key, HASH_LEN), view_skip(buf_view(to_sign), before), signature);
    if (ok) to_hex(signature, ret->hex);
    explicit_bzero(key, sizeof(key));
    return ok;
}

static bool compute(const struct sigv4_request *request, const struct sigv4_scope *scope,
                    struct view secret_key, const struct header *sorted, size_t count, struct buf *canonical,
                    struct buf *to_sign, struct sigv4_signature *ret) {
    size_t before = canonical->len;
    return make_stamp(scope, ret->stamp) && append_canonical(canonical, request, sorted, count) &&
           sign_canonical(scope, secret_key, view_skip(buf_view(canonical), before), to_sign, ret);
}

/* Of its own: adding to `headers` may move the fields. */
static bool copy_sorted(const struct headers *headers, struct header sorted[HEADERS_MAX]) {
    if (headers->count > HEADERS_MAX) return false;
    memcpy(sorted, headers->fields, headers->count * sizeof(sorted[0]));
    sort_headers(sorted, headers->count);
    return true;
}

bool sigv4_compute(const struct sigv4_request *request, const struct sigv4_scope *scope,
                   struct view secret_key, const struct headers *headers, struct buf *canonical,
                   struct buf *to_sign, struct sigv4_signature *ret) {
    struct header sorted[HEADERS_MAX];
    return copy_sorted(headers, sorted) &&
           compute(request, scope, secret_key, sorted, headers->count, canonical, to_sign, ret);
}

bool sigv4_is_same(const struct sigv4_signature *computed, struct view hex) {
    return hex.len == SIGV4_HEX_LEN && CRYPTO_memcmp(computed->hex, hex.ptr, SIGV4_HEX_LEN) == 0;
}

static bool add_authorization(const struct sigv4_scope *scope, struct view access_key,
                              const struct header *sorted, size_t count,
                              const struct sigv4_signature *signature, struct headers *headers) {
    struct buf value;
    buf_init(&value, 8192);
    bool ok =
        buf_printf(&value, "AWS4-HMAC-SHA256 Credential=%.*s/%.*s/%.*s/%.*s/aws4_request, SignedHeaders=",
                   VIEW_ARG(access_key), VIEW_ARG(day_of(signature->stamp)), VIEW_ARG(scope->region),
                   VIEW_ARG(scope->service)) &&
        append_names(&value, sorted, count) && buf_printf(&value, ", Signature=%s", signature->hex) &&
        headers_add(headers, VIEW("authorization"), buf_view(&value));
    buf_done(&value);
    return ok;
}

bool sigv4_sign(const struct sigv4_request *request, const struct sigv4_scope *scope,
                const struct aws_credentials *credentials, struct headers *headers) {
    struct sigv4_signature signature;
    struct header sorted[HEADERS_MAX];
    struct buf canonical, to_sign;
    if (!make_stamp(scope, signature.stamp) ||
        !headers_set(headers, VIEW("x-amz-date"), view_from_cstr(signature.stamp)) ||
        (credentials->session_token.len > 0 &&
         !headers_set(headers, VIEW("x-amz-security-token"), credentials->session_token)) ||
        !copy_sorted(headers, sorted))
        return false;
    size_t count = headers->count;
    buf_init(&canonical, CANONICAL_MAX);
    buf_init(&to_sign, 1024);
    bool ok =
        compute(request, scope, credentials->secret_key, sorted, count, &canonical, &to_sign, &signature) &&
        add_authorization(scope, credentials->access_key, sorted, count, &signature, headers);
    buf_done(&canonical);
    buf_done(&to_sign);
    return ok;
}
