/* The registry on DynamoDB. A claim as a record:
 *   connectionId "tunnel#<id>", claimTunnel, claimOwner, claimEpoch, claimState, claimConnection,
 *   claimGateway, claimProtocol, claimCapabilities, claimTimeoutMs, claimUntilMs, changedMs, expiresMs, ttl,
 *   claimOptions, claimAllowance, and what store_dynamodb_rate.c counts in it.
 * A claim that stands is changed by UpdateItem, so attributes of a later version stay. What such a version
 * knows of the member it puts into one attribute, claimMember, which goes when another connection takes over.
 * A connection has the same attributes beside those that existing deployments know (connectionId, tunnelId,
 * publicUrl, subdomainUrl, pathBasedUrl, createdAt, ttl): what it was accepted with. A claim record never has
 * a tunnelId, or the index over it would list it among the connections. */
#include <inttypes.h>
#include <stdio.h>

#include "base/log.h"
#include "handler/urls.h"
#include "protocol/json_text.h"
#include "store/store_dynamodb_state.h"

enum { BODY_MAX = 16 * 1024, LEGACY_EPOCH = 1 };

static const struct {
    enum claim_state state;
    struct view name;
} states[] = {
    {CLAIM_CONNECTING, {"connecting", 10}}, {CLAIM_READY, {"ready", 5}}, {CLAIM_OFFLINE, {"offline", 7}}};

enum { STATES_COUNT = sizeof(states) / sizeof(states[0]) };

struct view claim_key(struct view tunnel_id, char out[CLAIM_KEY_MAX]) {
    int len = snprintf(out, CLAIM_KEY_MAX, CLAIM_KEY_PREFIX "%.*s", VIEW_ARG(tunnel_id));
    return view_of(out, len > 0 && (size_t)len < CLAIM_KEY_MAX ? (size_t)len : 0);
}

/* ---- records ---- */

static struct view state_name(enum claim_state state) {
    for (size_t i = 0; i < STATES_COUNT; i++)
        if (states[i].state == state) return states[i].name;
    return (struct view){0};
}

static bool read_state(struct view name, enum claim_state *ret_state) {
    for (size_t i = 0; i < STATES_COUNT; i++) {
        if (!view_eq(states[i].name, name)) continue;
        *ret_state = states[i].state;
        return true;
    }
    return false;
}

static bool read_member(const json_t *item, struct member *member) {
    uint64_t protocol = 0, capabilities = 0, timeout = 0;
    struct view allowance = item_string(item, "claimAllowance");
    item_number(item, "claimProtocol", &protocol);
    item_number(item, "claimCapabilities", &capabilities);
    item_number(item, "claimTimeoutMs", &timeout);
    item_number(item, "claimUntilMs", &member->until_ms);
    member->link.protocol = protocol == 2 ? LINK_V2 : LINK_V1;
    member->capabilities = (unsigned)capabilities;
    member->request_timeout_ms = (uint32_t)timeout;
    if (allowance.ptr && !allowance_decode(allowance, &member->allowance)) return false;
    return view_copy_to(item_string(item, "claimConnection"), member->link.connection,
                        sizeof(member->link.connection)) &&
           view_copy_to(item_string(item, "claimGateway"), member->link.gateway,
                        sizeof(member->link.gateway)) &&
           item_number(item, "claimEpoch", &member->epoch) &&
           read_state(item_string(item, "claimState"), &member->state) &&
           item_number(item, "changedMs", &member->changed_ms);
}

static bool read_claim(const json_t *item, struct claim *claim) {
    *claim = (struct claim){0};
    bool well = read_member(item, &claim->member);
    claim->epoch = claim->member.epoch;
    return well &&
           view_copy_to(item_string(item, "claimTunnel"), claim->tunnel_id, sizeof(claim->tunnel_id)) &&
           view_copy_to(item_string(item, "claimOwner"), claim->owner, sizeof(claim->owner)) &&
           item_number(item, "expiresMs", &claim->expires_ms);
}

/* A connection that an earlier version of the handler accepted: live until it expires, or a post finds it
 * gone. */
static bool read_legacy(const json_t *item, struct claim *claim) {
    struct view connection = item_string(item, "connectionId");
    uint64_t created = 0, ttl = 0;
    *claim = (struct claim){.epoch = LEGACY_EPOCH, .member = {.epoch = LEGACY_EPOCH, .state = CLAIM_READY}};
    item_number(item, "createdAt", &created);
    item_number(item, "ttl", &ttl);
    claim->member.changed_ms = created * 1000;
    claim->expires_ms = ttl ? ttl * 1000 : UINT64_MAX;
    snprintf(claim->owner, sizeof(claim->owner), "anon:%.*s", VIEW_ARG(view_slice(connection, 0, 128)));
    return view_copy_to(connection, claim->member.link.connection, sizeof(claim->member.link.connection)) &&
           view_copy_to(item_string(item, "tunnelId"), claim->tunnel_id, sizeof(claim->tunnel_id)) &&
           claim->tunnel_id[0] && claim->member.link.connection[0];
}

static bool is_legacy(const struct claim *claim) {
    return claim->epoch == LEGACY_EPOCH && claim_is_anonymous(claim) &&
           strcmp(claim->owner + strlen("anon:"), claim->member.link.connection) == 0;
}

/* The values of a claim's attributes, under their names: in an item as they are, in an update behind ':'. */
static bool value_string(struct buf *out, const char *colon, const char *name, struct view value) {
    char full[32];
    snprintf(full, sizeof(full), "%s%s", colon, name);
    return item_put_string(out, full, value);
}

static bool value_number(struct buf *out, const char *colon, const char *name, uint64_t value) {
    char full[32];
    snprintf(full, sizeof(full), "%s%s", colon, name);
    return item_put_number(out, full, value);
}

static bool put_values(struct buf *out, const char *colon, const struct claim *claim, struct view options) {
    const struct member *member = &claim->member;
    char allowance[ALLOWANCE_TEXT_MAX];
    bool ok = value_string(out, colon, "claimTunnel", view_from_cstr(claim->tunnel_id)) &&
              value_string(out, colon, "claimOwner", view_from_cstr(claim->owner)) &&
              value_number(out, colon, "claimEpoch", claim->epoch) &&
              value_string(out, colon, "claimState", state_name(member->state)) &&
              value_string(out, colon, "claimConnection", view_from_cstr(member->link.connection)) &&
              value_number(out, colon, "claimProtocol", member->link.protocol == LINK_V2 ? 2 : 1) &&
              value_number(out, colon, "claimCapabilities", member->capabilities) &&
              value_number(out, colon, "claimTimeoutMs", member->request_timeout_ms) &&
              value_number(out, colon, "changedMs", member->changed_ms) &&
              value_number(out, colon, "expiresMs", claim->expires_ms);
    if (member->link.gateway[0])
        ok = ok && value_string(out, colon, "claimGateway", view_from_cstr(member->link.gateway));
    if (member->until_ms) ok = ok && value_number(out, colon, "claimUntilMs", member->until_ms);
    if (claim->expires_ms != UINT64_MAX)
        ok = ok && value_number(out, colon, "ttl", claim->expires_ms / 1000 + 1);
    if (options.len) ok = ok && value_string(out, colon, "claimOptions", options);
    if (!allowance_is_none(&member->allowance))
        ok =
            ok && value_string(out, colon, "claimAllowance", allowance_encode(&member->allowance, allowance));
    return ok;
}

static bool put_urls(struct buf *out, const struct core_settings *settings, struct view id) {
    struct buf subdomain, path;
    buf_init(&subdomain, 1024);
    buf_init(&path, 1024);
    bool ok = (!settings->path_routing || urls_path(&path, settings, id)) &&
              (!settings->subdomain_routing || urls_subdomain(&subdomain, settings, id)) &&
              item_put_string(out, "publicUrl", buf_view(subdomain.len ? &subdomain : &path)) &&
              (!subdomain.len || item_put_string(out, "subdomainUrl", buf_view(&subdomain))) &&
              (!path.len || item_put_string(out, "pathBasedUrl", buf_view(&path)));
    buf_done(&subdomain);
    buf_done(&path);
    return ok;
}

/* ---- lookup ---- */

static struct view options_of(const json_t *item) {
    struct view options = item_string(item, "claimOptions");
    return options.ptr ? options : VIEW("");
}

static void claim_done(struct store_op *op, enum status status, const struct claim *claim,
                       struct view options) {
    bool ok = status == STATUS_OK;
    if (ok && claim) op->store->seen = *claim;
    op->fn.claim(op->target, op->ticket, status, ok ? claim : NULL, ok ? options : (struct view){0});
    store_op_free(op);
}

/* The newest of those that are live and have no claim of their own: what has one was accepted by this
 * version, and its claim is gone. */
static bool choose_legacy(const json_t *items, uint64_t now_ms, struct claim *ret_claim) {
    size_t index;
    json_t *item;
    bool found = false;
    json_array_foreach(items, index, item) {
        struct claim claim;
        if (item_string(item, "claimTunnel").ptr || !read_legacy(item, &claim)) continue;
        if (claim.expires_ms <= now_ms || (found && claim.member.changed_ms < ret_claim->member.changed_ms))
            continue;
        *ret_claim = claim;
        found = true;
    }
    return found;
}

static void on_index_asked(void *ctx, enum status status, const struct dynamodb_answer *answer) {
    struct store_op *op = ctx;
    struct claim claim;
    rate_seen(op->store, view_from_cstr(op->claim.tunnel_id), NULL);
    if (status != STATUS_OK)
        claim_done(op, port_status(status), NULL, VIEW(""));
    else if (choose_legacy(json_object_get(answer->json, "Items"), store_wall_ms(op->store), &claim))
        claim_done(op, STATUS_OK, &claim, VIEW(""));
    else
        claim_done(op, STATUS_NOT_FOUND, NULL, VIEW(""));
}

static void ask_index(struct store_op *op) {
    struct buf body;
    buf_init(&body, BODY_MAX);
    body_begin(&body, op->store->settings.connections_table);
    buf_printf(&body, ",\"IndexName\":\"tunnel-id-index\",\"KeyConditionExpression\":\"tunnelId = :id\","
                      "\"Limit\":20,\"ExpressionAttributeValues\":{");
    item_put_string(&body, ":id", view_from_cstr(op->claim.tunnel_id));
    buf_printf(&body, "}}");
    store_op_send(op, ACTION_INDEX_QUERY, &body, on_index_asked);
}

static void on_claim_read(void *ctx, enum status status, const struct dynamodb_answer *answer) {
    struct store_op *op = ctx;
    const json_t *item = json_object_get(answer->json, "Item");
    struct claim claim;
    if (status != STATUS_OK) {
        claim_done(op, port_status(status), NULL, VIEW(""));
    } else if (!item) {
        ask_index(op);
    } else if (!read_claim(item, &claim)) {
        log_error("store", "the claim of %s makes no sense", op->claim.tunnel_id);
        claim_done(op, STATUS_INVALID, NULL, VIEW(""));
    } else {
        bool live = claim.expires_ms > store_wall_ms(op->store);
        rate_seen(op->store, view_from_cstr(op->claim.tunnel_id), item);
        claim_done(op, live ? STATUS_OK : STATUS_NOT_FOUND, &claim, options_of(item));
    }
}

static void read_item(struct store_op *op, struct view key, dynamodb_fn *then) {
    struct buf body;
    buf_init(&body, BODY_MAX);
    body_begin(&body, op->store->settings.connections_table);
    body_key(&body, "connectionId", key);
    buf_printf(&body, ",\"ConsistentRead\":true}");
    store_op_send(op, ACTION_CONNECTIONS_GET, &body, then);
}

static void lookup(void *ctx, struct view tunnel_id, registry_claim_fn *done, void *target, uint64_t ticket) {
    struct store_op *op = store_op_new(ctx, target, ticket);
    char key[CLAIM_KEY_MAX];
    op->fn.claim = done;
    view_copy_to(tunnel_id, op->claim.tunnel_id, sizeof(op->claim.tunnel_id));
    read_item(op, claim_key(tunnel_id, key), on_claim_read);
}

static void on_connection_read(void *ctx, enum status status, const struct dynamodb_answer *answer) {
    struct store_op *op = ctx;
    const json_t *item = json_object_get(answer->json, "Item");
    struct claim claim;
    bool is_claim = view_starts_with(item_string(item, "connectionId"), VIEW(CLAIM_KEY_PREFIX));
    if (status != STATUS_OK)
        status = port_status(status);
    else if (!item || is_claim)
        status = STATUS_NOT_FOUND;
    else if (!(item_string(item, "claimTunnel").ptr ? read_claim(item, &claim) : read_legacy(item, &claim)))
        status = STATUS_INVALID;
    claim_done(op, status, &claim, options_of(item));
}

static void lookup_connection(void *ctx, struct view connection_id, registry_claim_fn *done, void *target,
                              uint64_t ticket) {
    struct store_op *op = store_op_new(ctx, target, ticket);
    op->fn.claim = done;
    read_item(op, connection_id, on_connection_read);
}

/* ---- store ---- */

static void tell_changed(struct store_op *op) {
    const struct store_events *events = &op->store->events;
    if (events->claim_changed) events->claim_changed(events->ctx, view_from_cstr(op->claim.tunnel_id));
}

static void stored(struct store_op *op, enum status status) {
    if (status == STATUS_OK) tell_changed(op);
    store_op_done(op, status);
}

static void send_write(struct store_op *op);

/* A role of an earlier deployment may put, and not update: then what a later version has added is lost. */
static bool write_instead(struct store_op *op, enum status status) {
    if (status != STATUS_DENIED || !op->changes) return false;
    store_update_denied(op->store);
    send_write(op);
    return true;
}

/* An earlier attempt that nobody heard of may have written it. */
static bool is_ours(const struct claim *claim, const json_t *item) {
    struct claim found;
    return read_claim(item, &found) && found.epoch == claim->epoch &&
           found.member.state == claim->member.state && found.member.changed_ms == claim->member.changed_ms &&
           strcmp(found.member.link.connection, claim->member.link.connection) == 0;
}

static void on_written(void *ctx, enum status status, const struct dynamodb_answer *answer) {
    struct store_op *op = ctx;
    if (write_instead(op, status)) return;
    if (status == STATUS_CONFLICT && answer->repeated &&
        is_ours(&op->claim, json_object_get(answer->json, "Item")))
        status = STATUS_OK;
    stored(op, port_status(status));
}

/* What the index lists must not be a connection that was taken over; the sweep finds it by its retireAt. */
static void on_older_hidden(void *ctx, enum status status, const struct dynamodb_answer *answer) {
    (void)status; /* gone already, or it stays until it expires */
    (void)answer;
    stored(ctx, STATUS_OK);
}

static void hide_older(struct store_op *op) {
    struct buf body;
    buf_init(&body, BODY_MAX);
    body_begin(&body, op->store->settings.connections_table);
    body_key(&body, "connectionId", view_from_cstr(op->connection_id));
    buf_printf(&body, ",\"UpdateExpression\":\"SET retireAt = :retire REMOVE tunnelId\","
                      "\"ConditionExpression\":\"attribute_exists(connectionId)\","
                      "\"ExpressionAttributeValues\":{");
    item_put_number(&body, ":retire",
                    (store_wall_ms(op->store) + op->store->settings.core->retire_ms) / 1000);
    buf_printf(&body, "}}");
    store_op_send(op, ACTION_CONNECTIONS_UPDATE, &body, on_older_hidden);
}

static void on_transacted(void *ctx, enum status status, const struct dynamodb_answer *answer) {
    (void)answer;
    struct store_op *op = ctx;
    if (write_instead(op, status)) return;
    if (status == STATUS_OK && op->connection_id[0])
        hide_older(op);
    else
        stored(op, port_status(status));
}

/* The condition and its values, with those of the claim where it is an update's. */
static bool put_condition(struct buf *out, const struct store_op *op, bool with_claim) {
    unsigned expected = op->expected_states;
    const char *comma = "";
    bool ok = buf_printf(out, ",\"ConditionExpression\":\"");
    if (op->expected_epoch == 0)
        ok = ok && buf_printf(out, "attribute_not_exists(connectionId) OR expiresMs <= :now");
    else /* a tunnel of an earlier version has no claim until somebody changes it */
        ok = ok && buf_printf(out, "%sclaimEpoch = :epoch AND expiresMs > :now AND claimState IN (",
                              is_legacy(&op->claim) ? "attribute_not_exists(connectionId) OR " : "");
    for (size_t i = 0; op->expected_epoch && i < STATES_COUNT; i++) {
        if (!(expected & (unsigned)states[i].state)) continue;
        ok = ok && buf_printf(out, "%s:state%zu", comma, i);
        comma = ", ";
    }
    ok = ok && buf_printf(out, "%s\",\"ExpressionAttributeValues\":{", op->expected_epoch ? ")" : "");
    if (op->expected_epoch) ok = ok && item_put_number(out, ":epoch", op->expected_epoch);
    for (size_t i = 0; op->expected_epoch && i < STATES_COUNT; i++) {
        char name[16];
        snprintf(name, sizeof(name), ":state%zu", i);
        if (expected & (unsigned)states[i].state) ok = ok && item_put_string(out, name, states[i].name);
    }
    if (with_claim) ok = ok && put_values(out, ":", &op->claim, claim_options_view(op->options));
    return ok && item_put_number(out, ":now", store_wall_ms(op->store)) && buf_append_byte(out, '}');
}

/* `"TableName":…,"Item":{…}`, with the condition. */
static bool put_whole(struct buf *out, const struct store_op *op) {
    char key[CLAIM_KEY_MAX];
    return body_begin(out, op->store->settings.connections_table) && buf_printf(out, ",\"Item\":{") &&
           item_put_string(out, "connectionId", claim_key(view_from_cstr(op->claim.tunnel_id), key)) &&
           put_values(out, "", &op->claim, claim_options_view(op->options)) && buf_append_byte(out, '}') &&
           put_condition(out, op, false);
}

/* What goes: attributes that this claim has not. */
static bool put_removals(struct buf *out, const struct store_op *op) {
    const char *names[6], *before = " REMOVE ";
    size_t count = 0;
    bool ok = true;
    if (!op->claim.member.link.gateway[0]) names[count++] = "claimGateway";
    if (!op->claim.member.until_ms) names[count++] = "claimUntilMs";
    if (op->claim.expires_ms == UINT64_MAX) names[count++] = "#t";
    if (op->says_options && !op->options) names[count++] = "claimOptions";
    if (allowance_is_none(&op->claim.member.allowance)) names[count++] = "claimAllowance";
    if (op->claim.member.state == CLAIM_CONNECTING) names[count++] = "claimMember";
    for (size_t i = 0; i < count; i++, before = ", ") ok = ok && buf_printf(out, "%s%s", before, names[i]);
    return ok;
}

/* `"TableName":…,"Key":{…},"UpdateExpression":…`, with the condition, of one that stands. */
static bool put_change(struct buf *out, const struct store_op *op) {
    static const char set[] =
        "SET claimTunnel = :claimTunnel, claimOwner = :claimOwner, claimEpoch = :claimEpoch, "
        "claimState = :claimState, claimConnection = :claimConnection, claimProtocol = :claimProtocol, "
        "claimCapabilities = :claimCapabilities, claimTimeoutMs = :claimTimeoutMs, changedMs = :changedMs, "
        "expiresMs = :expiresMs";
    const struct claim *claim = &op->claim;
    char key[CLAIM_KEY_MAX];
    return body_begin(out, op->store->settings.connections_table) &&
           body_key(out, "connectionId", claim_key(view_from_cstr(claim->tunnel_id), key)) &&
           buf_printf(out, ",\"UpdateExpression\":\"%s%s%s%s%s%s", set,
                      claim->member.link.gateway[0] ? ", claimGateway = :claimGateway" : "",
                      claim->member.until_ms ? ", claimUntilMs = :claimUntilMs" : "",
                      claim->expires_ms == UINT64_MAX ? "" : ", #t = :ttl",
                      op->options ? ", claimOptions = :claimOptions" : "",
                      allowance_is_none(&claim->member.allowance) ? ""
                                                                  : ", claimAllowance = :claimAllowance") &&
           put_removals(out, op) && buf_printf(out, "\",\"ExpressionAttributeNames\":{\"#t\":\"ttl\"}") &&
           put_condition(out, op, true);
}

/* When the sweep closes it: some time after its token has ended, so that what it carries may end. */
static bool put_retirement(struct buf *out, const struct store_op *op) {
    uint64_t until_ms = op->claim.member.until_ms;
    return !until_ms ||
           item_put_number(out, "retireAt", (until_ms + op->store->settings.core->retire_ms) / 1000);
}

static bool put_connection_record(struct buf *out, const struct store_op *op) {
    struct view id = view_from_cstr(op->claim.tunnel_id);
    return body_begin(out, op->store->settings.connections_table) && buf_printf(out, ",\"Item\":{") &&
           item_put_string(out, "connectionId", view_from_cstr(op->claim.member.link.connection)) &&
           item_put_string(out, "tunnelId", id) && put_urls(out, op->store->settings.core, id) &&
           item_put_number(out, "createdAt", op->claim.member.changed_ms / 1000) && put_retirement(out, op) &&
           put_values(out, "", &op->claim, claim_options_view(op->options)) && buf_append_byte(out, '}');
}

/* A claim that stands is changed where the role may do that, and written whole where it may not. */
static bool changes(const struct store_op *op) {
    return op->expected_epoch > 0 && !op->store->update_denied;
}

/* Claim and connection come to be together. */
static void store_both(struct store_op *op, struct buf *body) {
    const struct claim *seen = &op->store->seen;
    bool takes_over = op->expected_epoch > 0 && seen->epoch == op->expected_epoch &&
                      seen->member.state != CLAIM_OFFLINE &&
                      strcmp(seen->tunnel_id, op->claim.tunnel_id) == 0 &&
                      strcmp(seen->member.link.connection, op->claim.member.link.connection) != 0;
    if (takes_over) memcpy(op->connection_id, seen->member.link.connection, sizeof(op->connection_id));
    char token[UUID_LEN + 1];
    ids_uuid4(token);
    buf_printf(body, "{\"ClientRequestToken\":\"%s\",\"TransactItems\":[{\"%s\":", token,
               changes(op) ? "Update" : "Put");
    changes(op) ? put_change(body, op) : put_whole(body, op);
    buf_printf(body, "}},{\"Put\":");
    put_connection_record(body, op);
    buf_printf(body, "}}]}");
    store_op_send(op, ACTION_CONNECTIONS_PUT_BOTH, body, on_transacted);
}

static void send_write(struct store_op *op) {
    struct buf body;
    buf_init(&body, BODY_MAX);
    op->changes = changes(op);
    if (op->claim.member.state == CLAIM_CONNECTING) {
        store_both(op, &body);
        return;
    }
    op->changes ? put_change(&body, op) : put_whole(&body, op);
    buf_printf(&body, ",\"ReturnValuesOnConditionCheckFailure\":\"ALL_OLD\"}");
    store_op_send(op, op->changes ? ACTION_CONNECTIONS_UPDATE : ACTION_CONNECTIONS_PUT, &body, on_written);
}

static void on_refused(struct task *task) {
    store_op_done(LIST_ENTRY(task, struct store_op, task), STATUS_INVALID);
}

static void store_claim(void *ctx, const struct claim_write *write, registry_done_fn *done, void *target,
                        uint64_t ticket) {
    struct store_op *op = store_op_new(ctx, target, ticket);
    op->fn.done = done;
    op->claim = *write->claim;
    op->expected_epoch = write->expected_epoch;
    op->expected_states = write->expected_states;
    op->says_options = write->options.ptr != NULL;
    if (claim_options_valid(write->options) && claim_options_keep(&op->options, write->options)) {
        send_write(op);
        return;
    }
    task_init(&op->task, on_refused);
    tasks_post(op->store->dynamodb->aws->tasks, &op->task);
}

/* ---- remove_connection ---- */

static void on_removed(void *ctx, enum status status, const struct dynamodb_answer *answer) {
    (void)answer;
    store_op_done(ctx, port_status(status));
}

static void remove_connection(void *ctx, struct view connection_id, registry_done_fn *done, void *target,
                              uint64_t ticket) {
    struct store_op *op = store_op_new(ctx, target, ticket);
    struct buf body;
    op->fn.done = done;
    buf_init(&body, BODY_MAX);
    body_begin(&body, op->store->settings.connections_table);
    body_key(&body, "connectionId", connection_id);
    buf_append_byte(&body, '}');
    store_op_send(op, ACTION_CONNECTIONS_DELETE, &body, on_removed);
}

void claims_port(struct store_dynamodb *store, struct registry *ret_registry) {
    *ret_registry = (struct registry){.ctx = store,
                                      .lookup = lookup,
                                      .lookup_connection = lookup_connection,
                                      .store = store_claim,
                                      .remove_connection = remove_connection,
                                      .sweep = dynamodb_sweep,
                                      .admit = rate_admit};
}
