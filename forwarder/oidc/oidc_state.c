/* See oidc_state.h. */
#include "oidc/oidc_state.h"

#include <jansson.h>
#include <stdlib.h>

#define AHEAD_S 90

bool oidc_state_encode(const struct oidc_state *state, struct buf *out) {
    json_t *root =
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:I, s:I}", "issuer", state->issuer, "token_endpoint",
                  state->token_url, "client_id", state->client_id, "ca_file", state->ca_file, "refresh_token",
                  state->refresh, "got", (json_int_t)state->got_s, "ends", (json_int_t)state->ends_s);
    char *text = root ? json_dumps(root, JSON_INDENT(2)) : NULL;
    bool ok = text && buf_append_view(out, view_from_cstr(text)) && buf_append_byte(out, '\n');
    free(text);
    json_decref(root);
    return ok;
}

static bool take(const json_t *root, const char *name, char *out, size_t size) {
    const json_t *value = json_object_get(root, name);
    return json_is_string(value) &&
           view_copy_to(view_of(json_string_value(value), json_string_length(value)), out, size);
}

static bool take_date(const json_t *root, const char *name, uint64_t *ret_s) {
    const json_t *value = json_object_get(root, name);
    *ret_s = (uint64_t)json_integer_value(value);
    return json_is_integer(value) && json_integer_value(value) >= 0;
}

bool oidc_state_decode(struct view text, struct oidc_state *ret_state) {
    json_t *root = json_loadb(text.ptr ? text.ptr : "", text.len, JSON_REJECT_DUPLICATES, NULL);
    bool good = take(root, "issuer", ret_state->issuer, sizeof(ret_state->issuer)) &&
                take(root, "token_endpoint", ret_state->token_url, sizeof(ret_state->token_url)) &&
                take(root, "client_id", ret_state->client_id, sizeof(ret_state->client_id)) &&
                take(root, "ca_file", ret_state->ca_file, sizeof(ret_state->ca_file)) &&
                take(root, "refresh_token", ret_state->refresh, sizeof(ret_state->refresh)) &&
                take_date(root, "got", &ret_state->got_s) && take_date(root, "ends", &ret_state->ends_s);
    json_decref(root);
    return good;
}

bool oidc_state_is_due(const struct oidc_state *state, uint64_t now_s) {
    uint64_t life = state->ends_s > state->got_s ? state->ends_s - state->got_s : 0;
    uint64_t ahead = life * 2 / 5 < AHEAD_S ? life * 2 / 5 : AHEAD_S;
    return now_s + ahead >= state->ends_s;
}
