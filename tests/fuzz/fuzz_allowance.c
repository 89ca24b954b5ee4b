/* libFuzzer target: what a token allows. A first line is a name; the rest is taken for a token's claims, for
 * patterns, which must mean what a plain reading of them means, and for what a store keeps. */
#include <jansson.h>

#include "auth/allowance.h"
#include "fuzz.h"

/* The plain reading; short texts only, since it may take long. */
static bool matches(struct view pattern, struct view name) {
    if (!pattern.len) return !name.len;
    if (pattern.ptr[0] == '*')
        return matches(view_skip(pattern, 1), name) || (name.len && matches(pattern, view_skip(name, 1)));
    return name.len && name.ptr[0] == pattern.ptr[0] && matches(view_skip(pattern, 1), view_skip(name, 1));
}

static void read_claims(struct view text, struct view name) {
    struct allowance allowance, again;
    struct allowance_names names;
    const char *reason = NULL;
    char kept[ALLOWANCE_TEXT_MAX];
    json_t *claims = json_loadb(text.ptr, text.len, JSON_REJECT_DUPLICATES, NULL);
    bool good = json_is_object(claims) && allowance_read(claims, &allowance, &names, &reason);
    json_decref(claims);
    if (!good) return;
    require(strlen(names.text) <= ALLOWANCE_NAMES_MAX && (names.is_bound || !names.text[0]));
    struct view only = allowance_only_name(&names);
    require(!only.len || allowance_has(&names, only));
    allowance_has(&names, name);
    if (allowance_is_none(&allowance)) return;
    require(allowance_decode(allowance_encode(&allowance, kept), &again));
    require(memcmp(&allowance, &again, sizeof(again)) == 0);
}

static void match(struct view pattern, struct view name) {
    struct allowance_names names = {.is_bound = true};
    bool is_pattern = pattern.len > 0 && pattern.len <= 12 && view_find(pattern, ' ') == pattern.len;
    if (!is_pattern || name.len > 12 || !view_copy_to(pattern, names.text, sizeof(names.text))) return;
    require(allowance_has(&names, name) == matches(pattern, name));
}

static void decode(struct view text) {
    struct allowance allowance, again;
    char kept[ALLOWANCE_TEXT_MAX];
    if (!allowance_decode(text, &allowance) || allowance_is_none(&allowance)) return;
    require(allowance_decode(allowance_encode(&allowance, kept), &again));
    require(memcmp(&allowance, &again, sizeof(again)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char *copy = exact_copy(view_of(data, size));
    struct view input = view_of(copy, size), name = take_line(&input);
    read_claims(input, name);
    match(input, name);
    decode(input);
    free(copy);
    return 0;
}
