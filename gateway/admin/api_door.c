/* Who may use the API: the holder of its token, compared in a time that tells nothing; or whoever came
 * through the socket that only the gateway's owner can open. Wrong tokens are logged, and who has shown too
 * many different ones is not heard for the rest of a minute (login_failures.h says why not even with the
 * right one). */
#include <stdio.h>
#include <sys/socket.h>

#include "admin/api_state.h"
#include "base/ids.h"
#include "base/log.h"
#include "policy/login_failures.h"

static const struct view scope = {"admin", 5}; /* login_failures counts for each tunnel */

static uint64_t now_ms(const struct api *api) {
    return loop_now(api->settings.loop);
}

static bool is_shut_out(const struct api *api, struct view address) {
    return api->failures && login_failures_shut_out(api->failures, scope, address, now_ms(api));
}

static void note_failure(struct api *api, struct view address, struct view token) {
    uint64_t seed;
    ids_random(&seed, sizeof(seed));
    if (!api->failures) api->failures = login_failures_new(seed);
    if (api->failures && !login_failures_note(api->failures, scope, address, token, now_ms(api)))
        return; /* nor does it fill the log */
    log_from(LOG_LEVEL_WARN, LOG_AUDIT, address, "refusal of the administration: a wrong token");
}

static struct view bearer(struct MHD_Connection *connection) {
    static const struct view scheme = {"Bearer ", 7};
    struct view field = view_from_cstr(
        MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_AUTHORIZATION));
    bool is = view_eq_nocase(view_slice(field, 0, scheme.len), scheme);
    return is ? view_trim(view_skip(field, scheme.len)) : (struct view){0};
}

static void name_owner(struct api_call *call) {
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(call->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct ucred peer = {.uid = (uid_t)-1};
    socklen_t len = sizeof(peer);
    if (info) getsockopt(info->connect_fd, SOL_SOCKET, SO_PEERCRED, &peer, &len);
    snprintf(call->who, sizeof(call->who), "uid %lld", (long long)(int)peer.uid);
}

bool api_let_in(struct api_call *call, enum MHD_Result *ret_result) {
    struct api *api = call->api;
    const struct client *client = admin_client(call->connection);
    struct view address = view_from_cstr(client->text), token = bearer(call->connection);
    if (client == &api->settings.admin->owner) {
        name_owner(call);
        return true;
    }
    if (!api->settings.has_token) {
        *ret_result = api_refuse(call, MHD_HTTP_FORBIDDEN,
                                 "the settings admin-token-file or admin-socket open the administration");
    } else if (is_shut_out(api, address)) {
        *ret_result =
            api_refuse(call, MHD_HTTP_TOO_MANY_REQUESTS, "too many wrong tokens; try again in a minute");
    } else if (!token.len) {
        *ret_result =
            api_refuse(call, MHD_HTTP_UNAUTHORIZED, "Authorization: Bearer and the admin token are needed");
    } else if (!secret_is(token, VIEW(API_TOKEN_LABEL), api->settings.token)) {
        note_failure(api, address, token);
        *ret_result = api_refuse(call, MHD_HTTP_UNAUTHORIZED, "this is not the admin token");
    } else {
        snprintf(call->who, sizeof(call->who), "token");
        return true;
    }
    return false;
}
