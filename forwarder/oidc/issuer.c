/* See issuer.h. */
#include "oidc/issuer.h"

#include <jansson.h>
#include <stdio.h>

#include "base/base64.h"
#include "http/chars.h"

#define DATE_MAX 1e12

static json_t *load(struct view text) {
    json_t *root = json_loadb(text.ptr ? text.ptr : "", text.len, JSON_REJECT_DUPLICATES, NULL);
    if (json_is_object(root)) return root;
    json_decref(root);
    return NULL;
}

static struct view text_of(const json_t *object, const char *name) {
    const json_t *value = json_object_get(object, name);
    return view_of(json_string_value(value), json_string_length(value));
}

/* Visible ASCII, 1 byte at least. */
static bool keep(const json_t *object, const char *name, char *out, size_t size) {
    struct view text = text_of(object, name);
    return text.len && http_is_visible(text) && view_copy_to(text, out, size);
}

/* The same with spaces, as codes may have (RFC 6749, appendix A). */
static bool keep_code(const json_t *object, const char *name, char *out, size_t size) {
    struct view text = text_of(object, name);
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] < 0x20 || text.ptr[i] > 0x7e) return false;
    return text.len && view_copy_to(text, out, size);
}

static bool keep_url(const json_t *object, const char *name, char out[HTTPS_URL_MAX + 1]) {
    return https_url_is_sane(text_of(object, name)) && keep(object, name, out, HTTPS_URL_MAX + 1);
}

static uint64_t number_of(const json_t *object, const char *name, uint64_t fallback, uint64_t min,
                          uint64_t max) {
    const json_t *value = json_object_get(object, name);
    double number = json_is_number(value) ? json_number_value(value) : (double)fallback;
    return number < (double)min ? min : number > (double)max ? max : (uint64_t)number;
}

/* What an error of OAuth's says, as far as a terminal can show it. */
static void print_error(int status, const json_t *root, char why[ISSUER_WHY_MAX]) {
    char code[64], text[120];
    bool has_code = keep(root, "error", code, sizeof(code));
    struct view description = text_of(root, "error_description");
    size_t len = 0;
    for (size_t i = 0; i < description.len && len + 1 < sizeof(text); i++)
        if (description.ptr[i] >= 0x20 && description.ptr[i] < 0x7f) text[len++] = description.ptr[i];
    text[len] = '\0';
    if (has_code)
        snprintf(why, ISSUER_WHY_MAX, "%s%s%s", code, len ? ": " : "", text);
    else
        snprintf(why, ISSUER_WHY_MAX, "it answers %d, and does not say why", status);
}

bool issuer_read(struct view text, const char *name, struct issuer *ret_issuer, const char **ret_why) {
    json_t *root = load(text);
    *ret_why = NULL;
    if (!root)
        *ret_why = "its description (.well-known/openid-configuration) is no JSON";
    else if (!view_eq(text_of(root, "issuer"), view_from_cstr(name)))
        *ret_why = "its description is another issuer's: the URL must be exactly its name";
    else if (!keep_url(root, "token_endpoint", ret_issuer->token_url))
        *ret_why = "its description has no https URL as token_endpoint";
    else if (!keep_url(root, "device_authorization_endpoint", ret_issuer->device_url))
        *ret_why = "it does not offer logins by a code (device_authorization_endpoint)";
    json_decref(root);
    return !*ret_why;
}

static bool read_device(const json_t *root, struct issuer_device *device) {
    device->interval_s = number_of(root, "interval", 5, 1, 60);
    device->life_s = number_of(root, "expires_in", 600, 10, 1800);
    return keep_code(root, "device_code", device->code, sizeof(device->code)) &&
           keep_code(root, "user_code", device->user_code, sizeof(device->user_code)) &&
           (keep_url(root, "verification_uri_complete", device->url) ||
            keep_url(root, "verification_uri", device->url));
}

bool issuer_device_read(int status, struct view text, struct issuer_device *ret_device,
                        char why[ISSUER_WHY_MAX]) {
    json_t *root = load(text);
    bool good = status == 200 && root && read_device(root, ret_device);
    if (!good && status == 200)
        snprintf(why, ISSUER_WHY_MAX, "its answer has no code, or no https URL to type it at");
    else if (!good)
        print_error(status, root, why);
    json_decref(root);
    return good;
}

/* ---- tokens ---- */

bool issuer_token_end(const char *token, const char *name, uint64_t *ret_ends_s) {
    struct view header, claims_part, rest = view_from_cstr(token);
    char bytes[ISSUER_TOKEN_MAX + 3];
    size_t len;
    if (!view_split(&rest, '.', &header) || !rest.ptr) return false;
    if (!view_split(&rest, '.', &claims_part) || !rest.ptr || !base64url_decode(claims_part, bytes, &len))
        return false;
    json_t *claims = load(view_of(bytes, len));
    const json_t *end = json_object_get(claims, "exp");
    double at = json_number_value(end);
    bool good = json_is_number(end) && at > 0 && at < DATE_MAX &&
                view_eq(text_of(claims, "iss"), view_from_cstr(name));
    if (good) *ret_ends_s = (uint64_t)at;
    json_decref(claims);
    return good;
}

static enum issuer_word read_grant(const json_t *root, const char *name, struct issuer_grant *grant,
                                   char why[ISSUER_WHY_MAX]) {
    grant->refresh[0] = '\0';
    keep_code(root, "refresh_token", grant->refresh, sizeof(grant->refresh));
    if (!keep(root, "id_token", grant->token, sizeof(grant->token)))
        snprintf(why, ISSUER_WHY_MAX, "it gave no id_token (is openid among --oidc-scope?)");
    else if (!issuer_token_end(grant->token, name, &grant->ends_s))
        snprintf(why, ISSUER_WHY_MAX, "its id_token is of another issuer, or has no end");
    else
        return ISSUER_GIVES;
    return ISSUER_REFUSES;
}

static enum issuer_word read_refusal(int status, const json_t *root, char why[ISSUER_WHY_MAX]) {
    struct view code = text_of(root, "error");
    if (view_eq(code, VIEW("authorization_pending"))) return ISSUER_WAITS;
    if (view_eq(code, VIEW("slow_down"))) return ISSUER_WAITS_LONGER;
    print_error(status, root, why);
    return ISSUER_REFUSES;
}

enum issuer_word issuer_grant_read(int status, struct view text, const char *name,
                                   struct issuer_grant *ret_grant, char why[ISSUER_WHY_MAX]) {
    json_t *root = load(text);
    enum issuer_word word =
        status == 200 ? read_grant(root, name, ret_grant, why) : read_refusal(status, root, why);
    json_decref(root);
    return word;
}

bool issuer_form_add(struct buf *form, const char *name, const char *value) {
    bool ok = buf_printf(form, "%s%s=", form->len ? "&" : "", name);
    for (; ok && *value; value++) {
        unsigned char byte = (unsigned char)*value;
        bool as_it_is = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
                        (byte >= '0' && byte <= '9') || strchr("-._~", byte);
        ok = as_it_is ? buf_append_byte(form, (char)byte) : buf_printf(form, "%%%02X", byte);
    }
    return ok;
}
