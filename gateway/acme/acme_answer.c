/* See acme_answer.h. */
#include "acme/acme_answer.h"

#include <jansson.h>
#include <string.h>

#include "protocol/json_scan.h"

#define RETRY_MAX_S 86400

const char *acme_way_name(enum acme_way way) {
    static const char *const names[ACME_WAYS] = {"http-01", "tls-alpn-01", "dns-01"};
    return names[way];
}

bool acme_url_is_good(struct view url) {
    struct view rest = view_skip(url, strlen("https://"));
    if (!view_starts_with(url, VIEW("https://")) || url.len > ACME_URL_MAX || rest.len == 0) return false;
    if (rest.ptr[0] == '/' || rest.ptr[0] == ':') return false;
    for (size_t i = 0; i < url.len; i++) {
        unsigned char byte = (unsigned char)url.ptr[i];
        if (byte <= 0x20 || byte >= 0x7f || strchr("\"\\<>^`{|}#@", byte)) return false;
    }
    return true;
}

static bool is_base64url(char byte) {
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9') ||
           byte == '-' || byte == '_';
}

bool acme_word_is_good(struct view word, size_t max) {
    for (size_t i = 0; i < word.len; i++)
        if (!is_base64url(word.ptr[i])) return false;
    return word.len > 0 && word.len <= max;
}

uint64_t acme_retry_after_ms(struct view value) {
    uint64_t seconds;
    if (!view_parse_u64(value, &seconds)) return 0;
    return (seconds < RETRY_MAX_S ? seconds : RETRY_MAX_S) * 1000;
}

/* ---- members ---- */

/* NULL: it is no object, or too much of one. To be given to json_decref(). */
static json_t *load(struct view text) {
    struct view none;
    if (text.len == 0 || text.len > ACME_JSON_MAX || !json_scan(text, VIEW("\x01"), &none)) return NULL;
    json_t *json = json_loadb(text.ptr, text.len, JSON_REJECT_DUPLICATES, NULL);
    if (json_is_object(json)) return json;
    json_decref(json);
    return NULL;
}

static struct view text_of(const json_t *object, const char *name) {
    const json_t *value = json_object_get(object, name);
    return json_is_string(value) ? view_of(json_string_value(value), json_string_length(value))
                                 : (struct view){0};
}

static bool take_url(const json_t *value, char out[ACME_URL_MAX + 1]) {
    struct view url = json_is_string(value) ? view_of(json_string_value(value), json_string_length(value))
                                            : (struct view){0};
    return acme_url_is_good(url) && view_copy_to(url, out, ACME_URL_MAX + 1);
}

/* As much of it as there is room for. */
static void take_text(struct view text, char *out, size_t size) {
    view_copy_to(view_slice(text, 0, size - 1), out, size);
}

static void take_problem(const json_t *json, struct acme_problem *out) {
    const struct view prefix = VIEW("urn:ietf:params:acme:error:");
    struct view type = text_of(json, "type");
    *out = (struct acme_problem){0};
    if (view_starts_with(type, prefix)) type = view_skip(type, prefix.len);
    take_text(type, out->type, sizeof(out->type));
    take_text(text_of(json, "detail"), out->detail, sizeof(out->detail));
}

void acme_problem_parse(struct view text, struct acme_problem *ret_problem) {
    json_t *json = load(text);
    take_problem(json, ret_problem);
    json_decref(json);
}

/* One that is not known is none that leads anywhere. */
static enum acme_state state_of(const json_t *json) {
    static const struct {
        const char *name;
        enum acme_state state;
    } states[] = {{"pending", ACME_PENDING},
                  {"ready", ACME_READY},
                  {"processing", ACME_PROCESSING},
                  {"valid", ACME_VALID}};
    struct view name = text_of(json, "status");
    for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++)
        if (view_eq(name, view_from_cstr(states[i].name))) return states[i].state;
    return ACME_INVALID;
}

/* ---- things ---- */

bool acme_directory_parse(struct view text, struct acme_directory *ret_directory) {
    json_t *json = load(text);
    const json_t *meta = json_object_get(json, "meta");
    *ret_directory = (struct acme_directory){0};
    bool ok = json && take_url(json_object_get(json, "newNonce"), ret_directory->new_nonce) &&
              take_url(json_object_get(json, "newAccount"), ret_directory->new_account) &&
              take_url(json_object_get(json, "newOrder"), ret_directory->new_order);
    if (ok) {
        take_text(text_of(meta, "termsOfService"), ret_directory->terms, sizeof(ret_directory->terms));
        ret_directory->wants_binding = json_is_true(json_object_get(meta, "externalAccountRequired"));
    }
    json_decref(json);
    return ok;
}

static bool take_order(const json_t *json, struct acme_order_word *out) {
    const json_t *urls = json_object_get(json, "authorizations");
    out->state = state_of(json);
    out->count = json_array_size(urls);
    if (out->count == 0 || out->count > ACME_NAMES_MAX) return false;
    for (size_t i = 0; i < out->count; i++)
        if (!take_url(json_array_get(urls, i), out->authorizations[i])) return false;
    take_problem(json_object_get(json, "error"), &out->problem);
    bool has_certificate = take_url(json_object_get(json, "certificate"), out->certificate);
    return take_url(json_object_get(json, "finalize"), out->finalize) &&
           (has_certificate || out->state != ACME_VALID);
}

bool acme_order_parse(struct view text, struct acme_order_word *ret_order) {
    json_t *json = load(text);
    *ret_order = (struct acme_order_word){0};
    bool ok = json && take_order(json, ret_order);
    json_decref(json);
    return ok;
}

static void take_challenge(const json_t *json, struct acme_authorization *out) {
    struct view type = text_of(json, "type"), token = text_of(json, "token");
    if (json_is_object(json_object_get(json, "error")))
        take_problem(json_object_get(json, "error"), &out->problem);
    for (unsigned way = 0; way < ACME_WAYS; way++) {
        struct acme_challenge *challenge = &out->challenges[way];
        if (!view_eq(type, view_from_cstr(acme_way_name((enum acme_way)way)))) continue;
        bool ok = acme_word_is_good(token, ACME_TOKEN_MAX) &&
                  take_url(json_object_get(json, "url"), challenge->url) &&
                  view_copy_to(token, challenge->token, sizeof(challenge->token));
        if (!ok) challenge->url[0] = '\0';
    }
}

static bool take_authorization(const json_t *json, struct acme_authorization *out) {
    const json_t *identifier = json_object_get(json, "identifier"),
                 *list = json_object_get(json, "challenges");
    out->state = state_of(json);
    for (size_t i = 0; i < json_array_size(list); i++) take_challenge(json_array_get(list, i), out);
    return view_eq(text_of(identifier, "type"), VIEW("dns")) &&
           view_copy_to(text_of(identifier, "value"), out->name, sizeof(out->name));
}

bool acme_authorization_parse(struct view text, struct acme_authorization *ret_authorization) {
    json_t *json = load(text);
    *ret_authorization = (struct acme_authorization){0};
    bool ok = json && take_authorization(json, ret_authorization);
    json_decref(json);
    return ok;
}
