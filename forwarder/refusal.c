#include "refusal.h"

#include <stdio.h>

static const char *status_meaning(int status) {
    switch (status) {
    case 400: return "it finds the request malformed";
    case 401:
        return "it wants a token (ttf login, --token-file, --token-command or TTF_TOKEN), or does not accept "
               "this one";
    case 403: return "this token does not allow it";
    case 404: return "there is no tunnel gateway at this URL";
    case 409: return "the name is taken by somebody else";
    case 429: return "too many connections";
    case 502:
    case 503:
    case 504: return "it is not available now";
    default: return "it does not speak WebSocket at this URL";
    }
}

/* A page of some proxy, or JSON of API Gateway, is no line for people. */
static bool body_is_readable(const char *body) {
    return body[0] && body[0] != '<' && body[0] != '{';
}

void refusal_text(const struct uplink_end *end, const char *name, char *out, size_t out_size) {
    if (end->failure != UPLINK_REFUSED) {
        snprintf(out, out_size, "%s", end->reason);
        return;
    }
    bool is_readable = body_is_readable(end->reason), is_of_name = end->http_status == 409 && name;
    if (is_of_name && !is_readable)
        snprintf(out, out_size, "the gateway refused: the name '%s' is taken by somebody else", name);
    else
        snprintf(out, out_size, "the gateway refused: %s",
                 is_readable ? end->reason : status_meaning(end->http_status));
    size_t len = strlen(out);
    snprintf(out + len, out_size - len, " (%d)%s", end->http_status,
             is_of_name ? "; choose another name" : "");
}

bool refusal_may_be_resume(int http_status) {
    return http_status == 400 || http_status == 403 || http_status == 409;
}

bool refusal_is_final(const struct uplink_end *end, bool was_up) {
    if (end->failure == UPLINK_CLOSED) return !was_up && end->close_code == 1008;
    if (end->failure != UPLINK_REFUSED) return !was_up;
    if (end->http_status == 401 || refusal_may_be_resume(end->http_status)) return true;
    if (end->http_status == 408 || end->http_status == 425 || end->http_status == 429 ||
        end->http_status >= 500)
        return false;
    return !was_up;
}
