/* The registry on DynamoDB. A claim as a record:
 *   connectionId "tunnel#<id>", claimTunnel, claimOwner, claimEpoch, claimState, claimConnection,
 *   claimGateway, claimProtocol, claimCapabilities, claimTimeoutMs, changedMs, expiresMs, ttl,
 *   and what store_dynamodb_rate.c counts in it, from one change of the claim to the next.
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

struct view claim_key(struct view tunnel_id, char out[CLAIM_KEY_MAX]) {
    int len = snprintf(out, CLAIM_KEY_MAX, CLAIM_KEY_PREFIX "%.*s", VIEW_ARG(tunnel_id));
    return view_of(out, len > 0 && (size_t)len < CLAIM_KEY_MAX ? (size_t)len : 0);
}

/* ---- records ---- */

static struct view state_name(enum claim_state state) {
    for (size_t i = 0; i < sizeof states / sizeof states[0]; i++)
        if (states[i].state == state) return states[i].name;
    return (struct view){0};
}

static bool read_state(struct view name, enum claim_state *ret_state) {
    for (size_t i = 0; i < sizeof states / sizeof states[0]; i++) {
        if (!view_eq(states[i].name, name)) continue;
        *ret_state = states[i].state;
        return true;
    }
    return false;
}

static bool read_member(const json_t *item, struct member *member) {
    uint64_t protocol = 0, capabilities = 0, timeout = 0;
    item_number(item, "claimProtocol", &protocol);
    item_number(item, "claimCapabilities", &capabilities);
    item_number(item, "claimTimeoutMs", &timeout);
    member->link.protocol = protocol == 2 ? LINK_V2 : LINK_V1;
    member->capabilities = (unsigned)capabilities;
    member->request_timeout_ms = (uint32_t)timeout;
    return view_copy_to(item_string(item, "claimConnection"), member->link.connection,
                        sizeof member->link.connection) &&
           view_copy_to(item_string(item, "claimGateway"), member->link.gateway,
                        sizeof member->link.gateway) &&
           item_number(item, "claimEpoch", &member->epoch) &&
           read_state(item_string(item, "claimState"), &member->state) &&
           item_number(item, "changedMs", &member->changed_ms);
}

static bool read_claim(const json_t *item, struct claim *claim) {
    *claim = (struct claim){0};
    bool well = read_member(item, &claim->member);
    claim->epoch = claim->member.epoch;
    return well &&
           view_copy_to(item_string(item, "claimTunnel"), claim->tunnel_id, sizeof claim->tunnel_id) &&
           view_copy_to(item_string(item, "claimOwner"), claim->owner, sizeof claim->owner) &&
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
    snprintf(claim->owner, sizeof claim->owner, "anon:%.*s", VIEW_ARG(view_slice(connection, 0, 128)));
    return view_copy_to(connection, claim->member.link.connection, sizeof claim->member.link.connection) &&
           view_copy_to(item_string(item, "tunnelId"), claim->tunnel_id, sizeof claim->tunnel_id) &&
           claim->tunnel_id[0] && claim->member.link.connection[0];
}

static bool is_legacy(const struct claim *claim) {
    return claim->epoch == LEGACY_EPOCH && claim_is_anonymous(claim) &&
           strcmp(claim->owner + strlen("anon:"), claim->member.link.connection) == 0;
}

static bool put_claim(struct buf *out, const struct claim *claim) {
    bool ok = item_put_string(out, "claimTunnel", view_from_cstr(claim->tunnel_id)) &&
              item_put_string(out, "claimOwner", view_from_cstr(claim->owner)) &&
              item_put_number(out, "claimEpoch", claim->epoch) &&
              item_put_string(out, "claimState", state_name(claim->member.state)) &&
              item_put_string(out, "claimConnection", view_from_cstr(claim->member.link.connection)) &&
              item_put_number(out, "claimProtocol", claim->member.link.protocol == LINK_V2 ? 2 : 1) &&
              item_put_number(out, "claimCapabilities", claim->member.capabilities) &&
              item_put_number(out, "claimTimeoutMs", claim->member.request_timeout_ms) &&
              item_put_number(out, "changedMs", claim->member.changed_ms) &&
              item_put_number(out, "expiresMs", claim->expires_ms);
    if (claim->member.link.gateway[0])
        ok = ok && item_put_string(out, "claimGateway", view_from_cstr(claim->member.link.gateway));
    if (claim->expires_ms != UINT64_MAX) ok = ok && item_put_number(out, "ttl", claim->expires_ms / 1000 + 1);
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

static void claim_done(struct store_op *op, enum status status, const struct claim *claim) {
    if (status == STATUS_OK && claim) op->store->seen = *claim;
    op->fn.claim(op->target, op->ticket, status, status == STATUS_OK ? claim : NULL);
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
        claim_done(op, port_status(status), NULL);
    else if (choose_legacy(json_object_get(answer->json, "Items"), store_wall_ms(op->store), &claim))
        claim_done(op, STATUS_OK, &claim);
    else
        claim_done(op, STATUS_NOT_FOUND, NULL);
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
        claim_done(op, port_status(status), NULL);
    } else if (!item) {
        ask_index(op);
    } else if (!read_claim(item, &claim)) {
        log_error("store", "the claim of %s makes no sense", op->claim.tunnel_id);
        claim_done(op, STATUS_INVALID, NULL);
    } else {
        bool live = claim.expires_ms > store_wall_ms(op->store);
        rate_seen(op->store, view_from_cstr(op->claim.tunnel_id), item);
        claim_done(op, live ? STATUS_OK : STATUS_NOT_FOUND, &claim);
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
    view_copy_to(tunnel_id, op->claim.tunnel_id, sizeof op->claim.tunnel_id);
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
    claim_done(op, status, &claim);
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

/* An earlier attempt that nobody heard of may have written it. */
static bool is_ours(const struct claim *claim, const json_t *item) {
    struct claim found;
    return read_claim(item, &found) && found.epoch == claim->epoch &&
           found.member.state == claim->member.state && found.member.changed_ms == claim->member.changed_ms &&
           strcmp(found.member.link.connection, claim->member.link.connection) == 0;
}

static void on_put(void *ctx, enum status status, const struct dynamodb_answer *answer) {
    struct store_op *op = ctx;
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
    if (status == STATUS_OK && op->connection_id[0])
        hide_older(op);
    else
        stored(op, port_status(status));
}

static bool put_condition(struct buf *out, const struct store_op *op, uint64_t epoch, unsigned expected) {
    const char *absent = "attribute_not_exists(connectionId) OR expiresMs <= :now";
    const char *same = "claimEpoch = :epoch AND expiresMs > :now AND claimState IN (";
    bool ok = buf_printf(out, ",\"ConditionExpression\":\"");
    if (epoch == 0) {
        ok = ok && buf_printf(out, "%s\",\"ExpressionAttributeValues\":{", absent);
    } else {
        const char *comma = "";
        /* a tunnel of an earlier version has no claim until somebody changes it */
        ok = ok && buf_printf(out, "%s%s",
                              is_legacy(&op->claim) ? "attribute_not_exists(connectionId) OR " : "", same);
        for (size_t i = 0; i < sizeof states / sizeof states[0]; i++) {
            if (!(expected & (unsigned)states[i].state)) continue;
            ok = ok && buf_printf(out, "%s:state%zu", comma, i);
            comma = ", ";
        }
        ok = ok && buf_printf(out, ")\",\"ExpressionAttributeValues\":{") &&
             item_put_number(out, ":epoch", epoch);
        for (size_t i = 0; i < sizeof states / sizeof states[0]; i++) {
            char name[16];
            snprintf(name, sizeof name, ":state%zu", i);
            if (expected & (unsigned)states[i].state) ok = ok && item_put_string(out, name, states[i].name);
        }
    }
    return ok && item_put_number(out, ":now", store_wall_ms(op->store)) && buf_append_byte(out, '}');
}

/* `"TableName":…,"Item":{…}`, with the condition, of the claim record. */
static bool put_claim_record(struct buf *out, const struct store_op *op, uint64_t epoch, unsigned expected) {
    char key[CLAIM_KEY_MAX];
    return body_begin(out, op->store->settings.connections_table) && buf_printf(out, ",\"Item\":{") &&
           item_put_string(out, "connectionId", claim_key(view_from_cstr(op->claim.tunnel_id), key)) &&
           put_claim(out, &op->claim) && buf_append_byte(out, '}') && put_condition(out, op, epoch, expected);
}

static bool put_connection_record(struct buf *out, const struct store_op *op) {
    struct view id = view_from_cstr(op->claim.tunnel_id);
    return body_begin(out, op->store->settings.connections_table) && buf_printf(out, ",\"Item\":{") &&
           item_put_string(out, "connectionId", view_from_cstr(op->claim.member.link.connection)) &&
           item_put_string(out, "tunnelId", id) && put_urls(out, op->store->settings.core, id) &&
           item_put_number(out, "createdAt", op->claim.member.changed_ms / 1000) &&
           put_claim(out, &op->claim) && buf_append_byte(out, '}');
}

/* Claim and connection come to be together. */
static void store_both(struct store_op *op, uint64_t epoch, unsigned expected) {
    const struct claim *seen = &op->store->seen;
    bool takes_over = epoch > 0 && seen->epoch == epoch && seen->member.state != CLAIM_OFFLINE &&
                      strcmp(seen->tunnel_id, op->claim.tunnel_id) == 0 &&
                      strcmp(seen->member.link.connection, op->claim.member.link.connection) != 0;
    if (takes_over) memcpy(op->connection_id, seen->member.link.connection, sizeof op->connection_id);
    char token[UUID_LEN + 1];
    struct buf body;
    buf_init(&body, BODY_MAX);
    ids_uuid4(token);
    buf_printf(&body, "{\"ClientRequestToken\":\"%s\",\"TransactItems\":[{\"Put\":", token);
    put_claim_record(&body, op, epoch, expected);
    buf_printf(&body, "}},{\"Put\":");
    put_connection_record(&body, op);
    buf_printf(&body, "}}]}");
    store_op_send(op, ACTION_CONNECTIONS_PUT_BOTH, &body, on_transacted);
}

static void store_claim(void *ctx, const struct claim *claim, uint64_t expected_epoch,
                        unsigned expected_states, registry_done_fn *done, void *target, uint64_t ticket) {
    struct store_op *op = store_op_new(ctx, target, ticket);
    op->fn.done = done;
    op->claim = *claim;
    if (claim->member.state == CLAIM_CONNECTING) {
        store_both(op, expected_epoch, expected_states);
        return;
    }
    struct buf body;
    buf_init(&body, BODY_MAX);
    put_claim_record(&body, op, expected_epoch, expected_states);
    buf_printf(&body, ",\"ReturnValuesOnConditionCheckFailure\":\"ALL_OLD\"}");
    store_op_send(op, ACTION_CONNECTIONS_PUT, &body, on_put);
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
