/* See allowance.h. */
#include "auth/allowance.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "auth/domain.h"

enum { PATTERN_MAX = 63 }; /* as long as a tunnel's name */

/* ---- the claims ---- */

static bool read_number(const json_t *claims, const char *name, uint64_t least, uint64_t most,
                        uint64_t *ret_number) {
    const json_t *value = json_object_get(claims, name);
    *ret_number = 0;
    if (!value) return true;
    if (!json_is_integer(value) || json_integer_value(value) < 0) return false;
    *ret_number = (uint64_t)json_integer_value(value);
    return *ret_number >= least && *ret_number <= most;
}

struct kind {
    const char *claim;
    bool has_dots;
    size_t most; /* bytes of one */
};
static const struct kind tunnels = {"tunnels", false, PATTERN_MAX}, domains = {"domains", true, DOMAIN_MAX};

/* A name, in which stars may stand. */
static bool is_pattern(struct view text, const struct kind *kind) {
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '*' ||
              (c == '.' && kind->has_dots)))
            return false;
    }
    return text.len > 0 && text.len <= kind->most;
}

static bool add_name(const json_t *value, const struct kind *kind, char *out, size_t *len) {
    struct view text = view_of(json_string_value(value), json_string_length(value));
    if (!json_is_string(value) || !is_pattern(text, kind) || *len + text.len + 1 > ALLOWANCE_NAMES_MAX)
        return false;
    memcpy(out + *len, text.ptr, text.len);
    *len += text.len;
    out[(*len)++] = ' ';
    out[*len] = '\0';
    return true;
}

/* An empty array allows none. */
static bool read_names(const json_t *claims, const struct kind *kind, char *out, bool *ret_is_said) {
    const json_t *value = json_object_get(claims, kind->claim);
    size_t len = 0;
    *ret_is_said = value != NULL;
    if (!value) return true;
    if (json_is_string(value)) return add_name(value, kind, out, &len);
    for (size_t i = 0; i < json_array_size(value); i++)
        if (!add_name(json_array_get(value, i), kind, out, &len)) return false;
    return json_is_array(value);
}

bool allowance_read(const struct json_t *claims, struct allowance *ret_allowance,
                    struct allowance_names *ret_names, const char **ret_reason) {
    uint64_t most, rate, connections, bandwidth;
    *ret_names = (struct allowance_names){.tunnels = 0};
    *ret_reason = "the token's tunnels are not names of a-z, 0-9 and '-', or patterns of them with '*'";
    if (!read_names(claims, &tunnels, ret_names->text, &ret_names->is_bound)) return false;
    *ret_reason = "the token's domains are not host names in lower case, or patterns of them with '*'";
    if (!read_names(claims, &domains, ret_names->domains, &ret_names->says_domains)) return false;
    *ret_reason = "the token's max_tunnels is no whole number from 1 to 1000000";
    if (!read_number(claims, "max_tunnels", 1, ALLOWANCE_NUMBER_MAX, &most)) return false;
    *ret_reason = "the token's max_rate is no whole number from 1 to 1000000";
    if (!read_number(claims, "max_rate", 1, ALLOWANCE_NUMBER_MAX, &rate)) return false;
    *ret_reason = "the token's max_connections is no whole number from 1 to 1000000";
    if (!read_number(claims, "max_connections", 1, ALLOWANCE_NUMBER_MAX, &connections)) return false;
    *ret_reason = "the token's max_bandwidth is no whole number from 1000 to 1000000000000";
    if (!read_number(claims, "max_bandwidth", ALLOWANCE_BANDWIDTH_MIN, ALLOWANCE_BANDWIDTH_MAX, &bandwidth))
        return false;
    ret_names->tunnels = (uint32_t)most;
    *ret_allowance = (struct allowance){
        .rate = (uint32_t)rate, .connections = (uint32_t)connections, .bandwidth = bandwidth};
    return true;
}

bool allowance_check(struct view claims, const char **ret_reason) {
    struct allowance allowance;
    struct allowance_names names;
    json_t *json = json_loadb(claims.ptr, claims.len, JSON_REJECT_DUPLICATES, NULL);
    *ret_reason = "these are no claims of a token";
    bool good = json_is_object(json) && allowance_read(json, &allowance, &names, ret_reason);
    json_decref(json);
    return good;
}

/* ---- names ---- */

/* With one step back: the last star takes a byte more. */
static bool matches(struct view pattern, struct view name) {
    size_t p = 0, n = 0, star = SIZE_MAX, from = 0;
    while (n < name.len) {
        if (p < pattern.len && pattern.ptr[p] == '*') {
            star = p++;
            from = n;
        } else if (p < pattern.len && pattern.ptr[p] == name.ptr[n]) {
            p++, n++;
        } else if (star != SIZE_MAX) {
            p = star + 1;
            n = ++from;
        } else {
            return false;
        }
    }
    while (p < pattern.len && pattern.ptr[p] == '*') p++;
    return p == pattern.len;
}

static bool has(const char *patterns, struct view name) {
    struct view rest = view_from_cstr(patterns), pattern;
    while (view_split(&rest, ' ', &pattern))
        if (pattern.len && matches(pattern, name)) return true;
    return false;
}

bool allowance_has(const struct allowance_names *names, struct view name) {
    return !names->is_bound || has(names->text, name);
}

bool allowance_has_domain(const struct allowance_names *names, struct view domain) {
    return has(names->domains, domain);
}

struct view allowance_only_name(const struct allowance_names *names) {
    struct view rest = view_from_cstr(names->text), name;
    bool is_one = names->is_bound && view_split(&rest, ' ', &name) && rest.len == 0 && name.len > 0 &&
                  view_find(name, '*') == name.len;
    return is_one ? name : (struct view){0};
}

/* ---- as stores keep it ---- */

bool allowance_is_none(const struct allowance *allowance) {
    return !allowance->rate && !allowance->connections && !allowance->bandwidth;
}

struct view allowance_encode(const struct allowance *allowance, char out[ALLOWANCE_TEXT_MAX]) {
    if (allowance_is_none(allowance)) return VIEW("");
    snprintf(out, ALLOWANCE_TEXT_MAX, "%" PRIu32 " %" PRIu32 " %" PRIu64, allowance->rate,
             allowance->connections, allowance->bandwidth);
    return view_from_cstr(out);
}

static bool decode_number(struct view *rest, uint64_t most, uint64_t *ret_number) {
    struct view word;
    return view_split(rest, ' ', &word) && view_parse_u64(word, ret_number) && *ret_number <= most;
}

bool allowance_decode(struct view text, struct allowance *ret_allowance) {
    uint64_t rate, connections, bandwidth;
    *ret_allowance = (struct allowance){.rate = 0};
    if (!decode_number(&text, ALLOWANCE_NUMBER_MAX, &rate) ||
        !decode_number(&text, ALLOWANCE_NUMBER_MAX, &connections) ||
        !decode_number(&text, ALLOWANCE_BANDWIDTH_MAX, &bandwidth) || text.ptr)
        return false;
    if (bandwidth && bandwidth < ALLOWANCE_BANDWIDTH_MIN) return false;
    *ret_allowance = (struct allowance){
        .rate = (uint32_t)rate, .connections = (uint32_t)connections, .bandwidth = bandwidth};
    return true;
}
