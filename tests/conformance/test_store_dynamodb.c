/* The DynamoDB store keeps the contract of all stores. tests/lambda/dynamodb_local.py runs this program with
 * a DynamoDB Local; each test has tables of its own. Below the suite: what only this store does. */
#include <curl/curl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "cmocka_setup.h"
#include "net/loop.h"
#include "protocol/chunks.h"
#include "protocol/json_text.h"
#include "store/store_dynamodb.h"
#include "store_suite.h"

static struct loop loop;
static uv_timer_t tick; /* one turn may complete what is waited for, and then wait for what never comes */
static struct aws_environment environment;
static struct aws_client aws;
static struct dynamodb dynamodb;
static uint64_t advanced_ms, frozen_ms; /* frozen: the clock moves by what it is advanced alone */
static unsigned table_number;

struct dynamodb_fixture {
    struct store_fixture fixture;
    struct core_settings core;
    char connections[64], requests[64];
    struct store_dynamodb *store, *other; /* of one pair of tables */
};

static uint64_t wall(void *ctx) {
    (void)ctx;
    return (frozen_ms ? frozen_ms : loop_wall_ms(NULL)) + advanced_ms;
}

/* ---- one call, to its end ---- */

struct seen_call {
    bool done, repeated;
    enum status status;
    json_t *answer;
};

static void on_call(void *ctx, enum status status, const struct dynamodb_answer *answer) {
    struct seen_call *seen = ctx;
    seen->done = true;
    seen->status = status;
    seen->repeated = answer->repeated;
    seen->answer = json_deep_copy(answer->json);
}

static struct seen_call call_to_its_end(const char *operation, json_t *body) {
    struct seen_call seen = {0};
    char *text = json_dumps(body, 0);
    dynamodb_start(&dynamodb, operation, view_from_cstr(text), on_call, &seen);
    while (!seen.done) uv_run(&loop.uv, UV_RUN_ONCE);
    free(text);
    json_decref(body);
    return seen;
}

/* The answer, to be freed; the call must succeed. */
static json_t *call(const char *operation, json_t *body) {
    struct seen_call seen = call_to_its_end(operation, body);
    assert_int_equal(seen.status, STATUS_OK);
    return seen.answer;
}

/* The same of a call that is refused where it was done before (`refusal`): its first answer may come so late,
 * on a busy machine, that it was made once more. */
static void call_once(const char *operation, json_t *body, enum status refusal) {
    struct seen_call seen = call_to_its_end(operation, body);
    if (seen.status != STATUS_OK && !(seen.repeated && seen.status == refusal))
        fail_msg("%s: %s", operation, status_text(seen.status));
    json_decref(seen.answer);
}

static void make_table(const json_t *schema, const char *logical, char *name, size_t size) {
    json_t *create = json_deep_copy(json_object_get(json_object_get(schema, logical), "create"));
    snprintf(name, size, "%s-%u", logical, ++table_number);
    json_object_set_new(create, "TableName", json_string(name));
    call_once("CreateTable", create, STATUS_INVALID); /* ResourceInUseException */
}

static void drop_table(const char *name) {
    call_once("DeleteTable", json_pack("{s:s}", "TableName", name), STATUS_NOT_FOUND);
}

/* ---- the fixture ---- */

static void settle(void *ctx) {
    struct dynamodb_fixture *fixture = ctx;
    uv_run(&loop.uv, UV_RUN_NOWAIT);
    while (store_dynamodb_busy(fixture->store) || store_dynamodb_busy(fixture->other))
        uv_run(&loop.uv, UV_RUN_ONCE);
}

static uint64_t fixture_wall(void *ctx) {
    return wall(ctx);
}

static void advance(void *ctx, uint64_t ms) {
    (void)ctx;
    advanced_ms += ms;
}

/* As a later version does. */
static void plant(void *ctx, const char *tunnel_id) {
    char key[TUNNEL_NAME_MAX + 8];
    snprintf(key, sizeof(key), "tunnel#%s", tunnel_id);
    json_decref(
        call("UpdateItem",
             json_pack("{s:s,s:{s:{s:s}},s:s,s:{s:{s:s},s:{s:{s:{s:s}}}}}", "TableName",
                       ((struct dynamodb_fixture *)ctx)->connections, "Key", "connectionId", "S", key,
                       "UpdateExpression", "SET claimLater = :n, claimMember = :m",
                       "ExpressionAttributeValues", ":n", "S", "kept", ":m", "M", "later", "S", "kept")));
}

static struct planted planted(void *ctx, const char *tunnel_id) {
    char key[TUNNEL_NAME_MAX + 8];
    snprintf(key, sizeof(key), "tunnel#%s", tunnel_id);
    json_t *answer = call("GetItem", json_pack("{s:s,s:{s:{s:s}},s:b}", "TableName",
                                               ((struct dynamodb_fixture *)ctx)->connections, "Key",
                                               "connectionId", "S", key, "ConsistentRead", 1));
    json_t *item = json_object_get(answer, "Item");
    struct planted planted = {.of_name = json_object_get(item, "claimLater") != NULL,
                              .of_member = json_object_get(item, "claimMember") != NULL};
    json_decref(answer);
    return planted;
}

static struct store_fixture *dynamodb_open(struct store_events events) {
    struct dynamodb_fixture *fixture = calloc(1, sizeof(*fixture));
    json_t *schema = json_load_file(TEST_DATA "/../infra/schema/tables.json", 0, NULL);
    assert_non_null(fixture);
    assert_non_null(schema);
    advanced_ms = frozen_ms = 0;
    make_table(schema, "connections", fixture->connections, sizeof(fixture->connections));
    make_table(schema, "pendingRequests", fixture->requests, sizeof(fixture->requests));
    json_decref(schema);
    core_settings_init(&fixture->core);
    struct store_dynamodb_settings settings = {fixture->connections, fixture->requests, &fixture->core};
    fixture->store = store_dynamodb_new(&dynamodb, &settings);
    fixture->other = store_dynamodb_new(&dynamodb, &settings);
    store_dynamodb_listen(fixture->store, events);
    fixture->fixture = (struct store_fixture){.ctx = fixture,
                                              .registry = store_dynamodb_registry(fixture->store),
                                              .mailbox = store_dynamodb_mailbox(fixture->store),
                                              .other_registry = store_dynamodb_registry(fixture->other),
                                              .other_mailbox = store_dynamodb_mailbox(fixture->other),
                                              .polls = true,
                                              .timers = &loop.timers,
                                              .tasks = &loop.tasks,
                                              .plant = plant,
                                              .planted = planted,
                                              .settle = settle,
                                              .wall_ms = fixture_wall,
                                              .advance = advance};
    return &fixture->fixture;
}

static void dynamodb_close(struct store_fixture *fixture) {
    struct dynamodb_fixture *dynamo = fixture->ctx;
    store_dynamodb_free(dynamo->store);
    store_dynamodb_free(dynamo->other);
    drop_table(dynamo->connections);
    drop_table(dynamo->requests);
    free(dynamo);
}

/* ---- what only this store does ---- */

struct world {
    struct dynamodb_fixture *fixture;
    enum status status;
    struct claim claim;
    char request_id[V1_REQUEST_ID_MAX + 1];
    struct v1_message *answer;
    unsigned completed, overdue;
};

static void on_world_overdue(void *ctx, const struct link *link) {
    assert_string_equal(link->connection, "one");
    ((struct world *)ctx)->overdue++;
}

static void on_world_completed(void *ctx, struct view request_id) {
    (void)request_id;
    ((struct world *)ctx)->completed++;
}

static int world_open(void **state) {
    static struct world world;
    world = (struct world){0};
    struct store_fixture *fixture = dynamodb_open((struct store_events){
        .ctx = &world, .request_completed = on_world_completed, .connection_overdue = on_world_overdue});
    world.fixture = fixture->ctx;
    *state = &world;
    return 0;
}

static int world_close(void **state) {
    struct world *world = *state;
    v1_message_free(world->answer);
    dynamodb_close(&world->fixture->fixture);
    return 0;
}

static void on_claim(void *target, uint64_t ticket, enum status status, const struct claim *claim,
                     struct view options) {
    (void)ticket, (void)options;
    struct world *world = target;
    world->status = status;
    if (claim) world->claim = *claim;
}

static void on_done(void *target, uint64_t ticket, enum status status) {
    (void)ticket;
    ((struct world *)target)->status = status;
}

static void on_put(void *target, uint64_t ticket, enum status status, struct view request_id) {
    (void)ticket;
    struct world *world = target;
    world->status = status;
    view_copy_to(request_id, world->request_id, sizeof(world->request_id));
}

static void on_take(void *target, uint64_t ticket, enum status status, struct v1_message *answer) {
    (void)ticket;
    struct world *world = target;
    world->status = status;
    v1_message_free(world->answer);
    world->answer = answer;
}

static enum status lookup(struct world *world, const char *tunnel) {
    struct registry *registry = &world->fixture->fixture.registry;
    registry->lookup(registry->ctx, view_from_cstr(tunnel), on_claim, world, 0);
    settle(world->fixture);
    return world->status;
}

static enum status lookup_connection(struct world *world, const char *connection) {
    struct registry *registry = &world->fixture->fixture.registry;
    registry->lookup_connection(registry->ctx, view_from_cstr(connection), on_claim, world, 0);
    settle(world->fixture);
    return world->status;
}

static enum status store_it(struct world *world, const struct claim *claim, uint64_t epoch, unsigned states) {
    struct registry *registry = &world->fixture->fixture.registry;
    struct claim_write write = {.claim = claim, .expected_epoch = epoch, .expected_states = states};
    registry->store(registry->ctx, &write, on_done, world, 0);
    settle(world->fixture);
    return world->status;
}

static enum status put(struct world *world, const char *connection) {
    struct mailbox *mailbox = &world->fixture->fixture.mailbox;
    struct pending pending = {view_from_cstr(connection), wall(NULL) + 30000};
    mailbox->put(mailbox->ctx, &pending, on_put, world, 0);
    settle(world->fixture);
    return world->status;
}

static enum status take(struct world *world) {
    struct mailbox *mailbox = &world->fixture->fixture.mailbox;
    mailbox->take(mailbox->ctx, view_from_cstr(world->request_id), on_take, world, 0);
    settle(world->fixture);
    return world->status;
}

static size_t count_items(const char *table) {
    size_t count = 0;
    json_t *from = NULL, *answer;
    do { /* a page holds 1 MB */
        json_t *body = json_pack("{s:s,s:o*}", "TableName", table, "ExclusiveStartKey", json_incref(from));
        answer = call("Scan", body);
        count += (size_t)json_integer_value(json_object_get(answer, "Count"));
        json_decref(from);
        from = json_incref(json_object_get(answer, "LastEvaluatedKey"));
        json_decref(answer);
    } while (from);
    return count;
}

static size_t count_index(struct world *world, const char *tunnel) {
    json_t *answer =
        call("Query", json_pack("{s:s,s:s,s:s,s:{s:{s:s}}}", "TableName", world->fixture->connections,
                                "IndexName", "tunnel-id-index", "KeyConditionExpression", "tunnelId = :t",
                                "ExpressionAttributeValues", ":t", "S", tunnel));
    size_t count = (size_t)json_integer_value(json_object_get(answer, "Count"));
    json_decref(answer);
    return count;
}

/* As an earlier version of the handler writes them. */
static void put_legacy(struct world *world, const char *connection, const char *tunnel, uint64_t age_s) {
    char created[24], ttl[24];
    snprintf(created, sizeof(created), "%llu", (unsigned long long)(wall(NULL) / 1000 - age_s));
    snprintf(ttl, sizeof(ttl), "%llu", (unsigned long long)(wall(NULL) / 1000 - age_s + 7200));
    json_decref(call("PutItem", json_pack("{s:s,s:{s:{s:s},s:{s:s},s:{s:s},s:{s:s},s:{s:s}}}", "TableName",
                                          world->fixture->connections, "Item", "connectionId", "S",
                                          connection, "tunnelId", "S", tunnel, "publicUrl", "S", "https://x",
                                          "createdAt", "N", created, "ttl", "N", ttl)));
}

static struct claim new_claim(const char *tunnel, const char *connection, uint64_t epoch) {
    struct claim claim = {.epoch = epoch,
                          .member = {.epoch = epoch, .state = CLAIM_CONNECTING, .changed_ms = wall(NULL)}};
    claim.expires_ms = claim.member.changed_ms + 7200000;
    strcpy(claim.tunnel_id, tunnel);
    strcpy(claim.owner, "anon:1");
    strcpy(claim.member.link.connection, connection);
    return claim;
}

#define ANY_STATE (CLAIM_CONNECTING | CLAIM_READY | CLAIM_OFFLINE)

static void a_tunnel_of_an_earlier_version_is_found(void **state) {
    struct world *world = *state;
    put_legacy(world, "old=", "oldtunnel123", 100);
    assert_int_equal(lookup(world, "oldtunnel123"), STATUS_OK);
    assert_string_equal(world->claim.member.link.connection, "old=");
    assert_int_equal(world->claim.member.state, CLAIM_READY);
    assert_int_equal(lookup_connection(world, "old="), STATUS_OK);
    assert_string_equal(world->claim.tunnel_id, "oldtunnel123");
}

static void the_newest_live_one_of_an_earlier_version_wins(void **state) {
    struct world *world = *state;
    put_legacy(world, "older", "oldtunnel123", 200);
    put_legacy(world, "newer", "oldtunnel123", 100);
    put_legacy(world, "expired", "oldtunnel123", 7300);
    assert_int_equal(lookup(world, "oldtunnel123"), STATUS_OK);
    assert_string_equal(world->claim.member.link.connection, "newer");
}

static void a_tunnel_of_an_earlier_version_may_become_ready_and_end(void **state) {
    struct world *world = *state;
    put_legacy(world, "old=", "oldtunnel123", 100);
    assert_int_equal(lookup_connection(world, "old="), STATUS_OK);
    struct claim claim = world->claim;
    claim.member.state = CLAIM_READY;
    assert_int_equal(store_it(world, &claim, claim.epoch, CLAIM_CONNECTING | CLAIM_READY), STATUS_OK);
    assert_int_equal(lookup(world, "oldtunnel123"), STATUS_OK);
    assert_string_equal(world->claim.member.link.connection, "old=");
    claim.member.state = CLAIM_OFFLINE;
    assert_int_equal(store_it(world, &claim, claim.epoch, CLAIM_CONNECTING | CLAIM_READY), STATUS_OK);
    assert_int_equal(lookup(world, "oldtunnel123"), STATUS_OK);
    assert_int_equal(world->claim.member.state, CLAIM_OFFLINE);
}

static void a_stale_connection_of_ours_wins_no_lookup(void **state) {
    struct world *world = *state;
    struct claim claim = new_claim("abcdefghijkl", "one", 1);
    assert_int_equal(store_it(world, &claim, 0, 0), STATUS_OK);
    json_decref(call("DeleteItem", json_pack("{s:s,s:{s:{s:s}}}", "TableName", world->fixture->connections,
                                             "Key", "connectionId", "S", "tunnel#abcdefghijkl")));
    assert_int_equal(count_index(world, "abcdefghijkl"), 1);
    assert_int_equal(lookup(world, "abcdefghijkl"), STATUS_NOT_FOUND);
}

static void the_index_lists_the_newest_connection_alone(void **state) {
    struct world *world = *state;
    struct claim one = new_claim("abcdefghijkl", "one", 1), two = new_claim("abcdefghijkl", "two", 2);
    assert_int_equal(store_it(world, &one, 0, 0), STATUS_OK);
    assert_int_equal(count_index(world, "abcdefghijkl"), 1);
    assert_int_equal(lookup(world, "abcdefghijkl"), STATUS_OK);
    assert_int_equal(store_it(world, &two, 1, ANY_STATE), STATUS_OK);
    assert_int_equal(count_index(world, "abcdefghijkl"), 1);
    assert_int_equal(lookup_connection(world, "one"), STATUS_OK);
    assert_int_equal(world->claim.epoch, 1);
}

static void on_swept(void *target, uint64_t ticket, enum status status, size_t removed) {
    (void)ticket;
    (void)removed;
    ((struct world *)target)->status = status;
}

static enum status sweep(struct world *world) {
    struct registry *registry = &world->fixture->fixture.registry;
    registry->sweep(registry->ctx, on_swept, world, 0);
    settle(world->fixture);
    return world->status;
}

static void a_connection_taken_over_is_overdue_after_a_while(void **state) {
    struct world *world = *state;
    struct claim one = new_claim("abcdefghijkl", "one", 1), two = new_claim("abcdefghijkl", "two", 2);
    assert_int_equal(store_it(world, &one, 0, 0), STATUS_OK);
    assert_int_equal(lookup(world, "abcdefghijkl"), STATUS_OK);
    assert_int_equal(store_it(world, &two, 1, ANY_STATE), STATUS_OK);
    assert_int_equal(sweep(world), STATUS_OK);
    assert_int_equal(world->overdue, 0);
    advanced_ms += world->fixture->core.retire_ms + 2000;
    assert_int_equal(sweep(world), STATUS_OK);
    assert_int_equal(world->overdue, 1);
    assert_int_equal(lookup_connection(world, "one"), STATUS_OK); /* its end removes it */
}

static void the_end_of_a_token_stays_with_its_member(void **state) {
    struct world *world = *state;
    struct claim one = new_claim("abcdefghijkl", "one", 1), two = new_claim("abcdefghijkl", "two", 2);
    one.member.until_ms = one.member.changed_ms + 60000;
    assert_int_equal(store_it(world, &one, 0, 0), STATUS_OK);
    assert_int_equal(lookup_connection(world, "one"), STATUS_OK);
    assert_int_equal(world->claim.member.until_ms, one.member.until_ms);
    one.member.state = CLAIM_READY;
    assert_int_equal(store_it(world, &one, 1, ANY_STATE), STATUS_OK);
    assert_int_equal(lookup(world, "abcdefghijkl"), STATUS_OK);
    assert_int_equal(world->claim.member.until_ms, one.member.until_ms);
    assert_int_equal(sweep(world), STATUS_OK);
    assert_int_equal(world->overdue, 0);
    advanced_ms += 60000 + world->fixture->core.retire_ms + 2000;
    assert_int_equal(sweep(world), STATUS_OK);
    assert_int_equal(world->overdue, 1);
    assert_int_equal(store_it(world, &two, 1, ANY_STATE), STATUS_OK);
    assert_int_equal(lookup(world, "abcdefghijkl"), STATUS_OK);
    assert_int_equal(world->claim.member.until_ms, 0);
}

/* The answer's text, with a body of `len` bytes 'x'. */
static void answer_text(struct world *world, size_t len, struct buf *out) {
    struct arena arena;
    struct headers headers;
    char *body = malloc(len);
    memset(body, 'x', len);
    arena_init(&arena, 4096);
    headers_init(&headers, &arena);
    headers_add(&headers, VIEW("content-type"), VIEW("text/\"plain\""));
    buf_init(out, 8 * 1024 * 1024);
    struct v1_response response = {view_from_cstr(world->request_id), 200, &headers, view_of(body, len), 1};
    assert_true(v1_encode_response(out, &response));
    arena_done(&arena);
    free(body);
}

static void a_large_answer_goes_through_parts(void **state) {
    struct world *world = *state;
    struct mailbox *mailbox = &world->fixture->fixture.mailbox;
    struct buf text;
    enum status status;
    assert_int_equal(put(world, "one"), STATUS_OK);
    answer_text(world, 2 * 1024 * 1024, &text);
    mailbox->complete(mailbox->ctx, view_from_cstr(world->request_id), VIEW("one"),
                      v1_message_parse(buf_view(&text), 4 << 20, &status), on_done, world, 0);
    settle(world->fixture);
    buf_done(&text);
    assert_int_equal(world->status, STATUS_OK);
    assert_int_equal(count_items(world->fixture->requests), 1 + 8);
    assert_int_equal(take(world), STATUS_OK);
    assert_int_equal(world->answer->body.len, 2 * 1024 * 1024);
    assert_int_equal(count_items(world->fixture->requests), 0);
}

static enum status send_chunk(struct world *world, const char *connection, struct view message) {
    struct mailbox *mailbox = &world->fixture->fixture.mailbox;
    enum status status;
    struct v1_message *parsed = v1_message_parse(message, 0, &status);
    assert_non_null(parsed);
    mailbox->complete_part(mailbox->ctx, parsed->request_id, view_from_cstr(connection), &parsed->chunk,
                           on_done, world, 0);
    v1_message_free(parsed);
    settle(world->fixture);
    return world->status;
}

/* Cuts an answer of `len` bytes; the messages are to be freed. */
static size_t cut(struct world *world, size_t len, struct buf messages[CHUNKS_TOTAL_MAX]) {
    struct buf text;
    struct chunk_cutter cutter;
    size_t count = 0;
    answer_text(world, len, &text);
    assert_true(
        chunk_cutter_init(&cutter, view_from_cstr(world->request_id), buf_view(&text), CHUNKS_MESSAGE_MAX));
    for (;; count++) {
        buf_init(&messages[count], CHUNKS_MESSAGE_MAX);
        if (!chunk_cutter_next(&cutter, &messages[count])) break;
    }
    assert_int_equal(count, cutter.total);
    buf_done(&text);
    return count;
}

static void pieces_come_in_any_order_and_twice(void **state) {
    struct world *world = *state;
    struct buf messages[CHUNKS_TOTAL_MAX];
    assert_int_equal(put(world, "one"), STATUS_OK);
    size_t count = cut(world, 400000, messages);
    assert_true(count > 3);
    for (size_t i = count; i-- > 1;) {
        assert_int_equal(send_chunk(world, "one", buf_view(&messages[i])), STATUS_OK);
        assert_int_equal(send_chunk(world, "one", buf_view(&messages[i])), STATUS_OK);
    }
    assert_int_equal(take(world), STATUS_NOT_FOUND);
    assert_int_equal(world->completed, 0);
    assert_int_equal(send_chunk(world, "one", buf_view(&messages[0])), STATUS_OK);
    assert_int_equal(world->completed, 1);
    assert_int_equal(send_chunk(world, "one", buf_view(&messages[0])), STATUS_NOT_FOUND);
    assert_int_equal(take(world), STATUS_OK);
    assert_int_equal(world->answer->body.len, 400000);
    assert_int_equal(count_items(world->fixture->requests), 0);
    for (size_t i = 0; i < count; i++) buf_done(&messages[i]);
}

static void pieces_of_others_and_of_the_dead_leave_nothing(void **state) {
    struct world *world = *state;
    struct mailbox *mailbox = &world->fixture->fixture.mailbox;
    struct buf messages[CHUNKS_TOTAL_MAX];
    assert_int_equal(put(world, "one"), STATUS_OK);
    size_t count = cut(world, 200000, messages);
    assert_int_equal(send_chunk(world, "two", buf_view(&messages[0])), STATUS_NOT_FOUND);
    assert_int_equal(count_items(world->fixture->requests), 1);
    assert_int_equal(send_chunk(world, "one", buf_view(&messages[0])), STATUS_OK);
    mailbox->remove(mailbox->ctx, view_from_cstr(world->request_id));
    settle(world->fixture);
    assert_int_equal(count_items(world->fixture->requests), 0);
    assert_int_equal(send_chunk(world, "one", buf_view(&messages[1])), STATUS_NOT_FOUND);
    assert_int_equal(count_items(world->fixture->requests), 0);
    for (size_t i = 0; i < count; i++) buf_done(&messages[i]);
}

static enum status send_piece(struct world *world, uint64_t seq, uint64_t total, size_t len) {
    struct buf text;
    char *data = malloc(len);
    memset(data, 'x', len);
    buf_init(&text, len + 1024);
    struct v1_chunk chunk = {seq, total, view_of(data, len)};
    assert_true(v1_encode_chunk(&text, view_from_cstr(world->request_id), &chunk));
    enum status status = send_chunk(world, "one", buf_view(&text));
    buf_done(&text);
    free(data);
    return status;
}

static void pieces_that_contradict_are_bounded_and_leave_nothing(void **state) {
    struct world *world = *state;
    struct mailbox *mailbox = &world->fixture->fixture.mailbox;
    assert_int_equal(put(world, "one"), STATUS_OK);
    assert_int_equal(send_piece(world, 0, 1, 10), STATUS_OK); /* joins to nothing */
    assert_int_equal(take(world), STATUS_NOT_FOUND);
    assert_int_equal(send_piece(world, 0, 1, 10), STATUS_NOT_FOUND); /* no more */
    assert_int_equal(send_piece(world, 0, 2, 10), STATUS_OK);
    size_t sent = 0, bytes_max = 2 * core_settings_message_max(&world->fixture->core);
    while (sent < 100 && send_piece(world, sent, 100, 200000) == STATUS_OK) sent++;
    assert_int_equal(sent, bytes_max / 200000);
    assert_int_equal(send_piece(world, 1, 4, 10), STATUS_NOT_FOUND); /* a set too many */
    assert_int_equal(count_items(world->fixture->requests), 1 + 1 + 1 + sent);
    mailbox->remove(mailbox->ctx, view_from_cstr(world->request_id));
    settle(world->fixture);
    assert_int_equal(count_items(world->fixture->requests), 0);
}

/* As another process does it, with one attribute more. */
static void complete_by_hand(struct world *world, const char *name, const char *type, const char *value) {
    json_decref(
        call("UpdateItem",
             json_pack("{s:s,s:{s:{s:s}},s:s,s:{s:s,s:s},s:{s:{s:s},s:{s:s}}}", "TableName",
                       world->fixture->requests, "Key", "requestId", "S", world->request_id,
                       "UpdateExpression", "SET #s = :s, #n = :v", "ExpressionAttributeNames", "#s", "status",
                       "#n", name, "ExpressionAttributeValues", ":s", "S", "completed", ":v", type, value)));
}

/* A call whose fate was unknown is made again, and finds the request completed meanwhile by the last of the
 * others: what it had put belongs to the answer. */
static void a_piece_that_was_added_unheard_stays(void **state) {
    struct world *world = *state;
    char key[V1_REQUEST_ID_MAX + 32];
    assert_int_equal(put(world, "one"), STATUS_OK);
    assert_int_equal(send_piece(world, 0, 2, 10), STATUS_OK);
    snprintf(key, sizeof(key), "%s#one#2.0", world->request_id);
    json_decref(call("DeleteItem", json_pack("{s:s,s:{s:{s:s}}}", "TableName", world->fixture->requests,
                                             "Key", "requestId", "S", key)));
    complete_by_hand(world, "partsTotal", "N", "2");
    assert_int_equal(send_piece(world, 0, 2, 10), STATUS_OK);
    assert_int_equal(count_items(world->fixture->requests), 2);
}

/* Completed by another process: only polling can see it. */
static void an_open_request_is_polled(void **state) {
    struct world *world = *state;
    assert_int_equal(put(world, "one"), STATUS_OK);
    complete_by_hand(world, "responseData", "S",
                     "{\"request_id\":\"x\",\"status_code\":200,\"headers\":{},\"body\":\"aGk=\"}");
    while (!world->completed) uv_run(&loop.uv, UV_RUN_ONCE);
    uint64_t calls = aws.calls;
    assert_int_equal(take(world), STATUS_OK);
    assert_true(view_eq(world->answer->body, VIEW("hi")));
    assert_int_equal(aws.calls - calls, 1); /* the deletion: the poll had read the answer */
    assert_int_equal(count_items(world->fixture->requests), 0);
}

static void an_answer_that_makes_no_sense_is_an_error_of_the_agent(void **state) {
    struct world *world = *state;
    assert_int_equal(put(world, "one"), STATUS_OK);
    complete_by_hand(world, "responseData", "S", "garbage");
    assert_int_equal(take(world), STATUS_OK);
    assert_int_equal(world->answer->type, V1_ERROR);
}

/* ---- requests a second, counted by two environments ---- */

enum { PER_SECOND = 1000 };

static struct registry *environment_of(struct world *world, bool other) {
    world->fixture->core.tunnel_requests_per_second = PER_SECOND;
    frozen_ms = frozen_ms ? frozen_ms : loop_wall_ms(NULL);
    return other ? &world->fixture->fixture.other_registry : &world->fixture->fixture.registry;
}

/* After one lookup, what a visitor's request begins with: how many of so many more are let through. */
static size_t admit(struct world *world, bool other, size_t count) {
    struct registry *registry = environment_of(world, other);
    size_t admitted = 0;
    registry->lookup(registry->ctx, VIEW("abcdefghijkl"), on_claim, world, 0);
    settle(world->fixture);
    assert_int_equal(world->status, STATUS_OK);
    for (size_t i = 0; i < count; i++)
        admitted += registry->admit(registry->ctx, VIEW("abcdefghijkl"), PER_SECOND);
    settle(world->fixture);
    return admitted;
}

static void environments_count_together(void **state) {
    struct world *world = *state;
    struct claim claim = new_claim("abcdefghijkl", "one", 1);
    assert_int_equal(store_it(world, &claim, 0, 0), STATUS_OK);
    assert_int_equal(admit(world, false, 900), 900);
    assert_int_equal(admit(world, false, 200), 100);
    advance(NULL, 600);
    assert_int_equal(admit(world, false, 1), 1);
    advance(NULL, 600); /* more than a second after the first five were told of */
    assert_int_equal(admit(world, false, 1), 1);
    assert_int_equal(admit(world, true, 2 * PER_SECOND), PER_SECOND - 997);
    assert_int_equal(admit(world, false, 2 * PER_SECOND), PER_SECOND - 997);
    advance(NULL, 900);
    assert_int_equal(admit(world, true, 2 * PER_SECOND), 900);
    advance(NULL, 60000); /* no more than in a second are saved up */
    assert_int_equal(admit(world, true, 2 * PER_SECOND), PER_SECOND);
    assert_string_equal(world->claim.member.link.connection, "one");
}

/* A second environment begins a period at the same moment: its count is added to the first one's. */
static void environments_begin_at_once(void **state) {
    struct world *world = *state;
    struct claim claim = new_claim("abcdefghijkl", "one", 1);
    assert_int_equal(store_it(world, &claim, 0, 0), STATUS_OK);
    struct registry *first = environment_of(world, false), *second = environment_of(world, true);
    admit(world, false, 0);
    admit(world, true, 0);
    for (int i = 0; i < 5; i++) assert_true(first->admit(first->ctx, VIEW("abcdefghijkl"), PER_SECOND));
    for (int i = 0; i < 5; i++) assert_true(second->admit(second->ctx, VIEW("abcdefghijkl"), PER_SECOND));
    settle(world->fixture);
    json_t *answer = call("GetItem", json_pack("{s:s,s:{s:{s:s}}}", "TableName", world->fixture->connections,
                                               "Key", "connectionId", "S", "tunnel#abcdefghijkl"));
    uint64_t count = 0;
    assert_true(item_number(json_object_get(answer, "Item"), "rateCount", &count));
    assert_int_equal(count, 10);
    json_decref(answer);
}

static void requests_now_and_then_cost_no_write(void **state) {
    struct world *world = *state;
    struct claim claim = new_claim("abcdefghijkl", "one", 1);
    assert_int_equal(store_it(world, &claim, 0, 0), STATUS_OK);
    uint64_t calls = aws.calls;
    for (int i = 0; i < 20; i++) {
        assert_int_equal(admit(world, false, 1), 1);
        advance(NULL, 1000);
    }
    assert_int_equal(aws.calls - calls, 20);
    calls = aws.calls;
    for (int i = 0; i < 50; i++) { /* ten a second: a write a second */
        assert_int_equal(admit(world, false, 1), 1);
        advance(NULL, 100);
    }
    assert_int_equal(aws.calls - calls - 50, 5);
}

static void counting_makes_no_claim(void **state) {
    struct world *world = *state;
    struct registry *registry = environment_of(world, false);
    put_legacy(world, "old=", "abcdefghijkl", 100);
    assert_int_equal(admit(world, false, 100), 100);
    struct claim claim = new_claim("abcdefghijkl", "one", 2);
    assert_int_equal(store_it(world, &claim, 0, 0), STATUS_OK);
    admit(world, false, 0);
    size_t items = count_items(world->fixture->connections);
    json_decref(call("DeleteItem", json_pack("{s:s,s:{s:{s:s}}}", "TableName", world->fixture->connections,
                                             "Key", "connectionId", "S", "tunnel#abcdefghijkl")));
    for (int i = 0; i < 100; i++) registry->admit(registry->ctx, VIEW("abcdefghijkl"), PER_SECOND);
    settle(world->fixture);
    assert_int_equal(count_items(world->fixture->connections), items - 1);
}

static void on_tick(uv_timer_t *timer) {
    (void)timer;
}

int main(void) {
    const char *missing;
    int failed = 1;
    curl_global_init(CURL_GLOBAL_DEFAULT);
    if (!loop_init(&loop)) return 1;
    uv_timer_init(&loop.uv, &tick);
    uv_timer_start(&tick, on_tick, 5, 5);
    struct http_client *http = http_client_new(&loop.uv, &loop.timers, NULL);
    aws = (struct aws_client){.http = http,
                              .environment = &environment,
                              .timers = &loop.timers,
                              .tasks = &loop.tasks,
                              .wall_ms = loop_wall_ms};
    dynamodb.aws = &aws;
    if (aws_environment_read(&environment, &missing) &&
        aws_environment_endpoint(&environment, "dynamodb", dynamodb.endpoint)) {
        aws.wall_ms = wall;
#define T(test) cmocka_unit_test_setup_teardown(test, world_open, world_close)
        const struct CMUnitTest tests[] = {
            T(a_tunnel_of_an_earlier_version_is_found),
            T(the_newest_live_one_of_an_earlier_version_wins),
            T(a_tunnel_of_an_earlier_version_may_become_ready_and_end),
            T(a_stale_connection_of_ours_wins_no_lookup),
            T(the_index_lists_the_newest_connection_alone),
            T(a_connection_taken_over_is_overdue_after_a_while),
            T(the_end_of_a_token_stays_with_its_member),
            T(a_large_answer_goes_through_parts),
            T(pieces_come_in_any_order_and_twice),
            T(pieces_of_others_and_of_the_dead_leave_nothing),
            T(pieces_that_contradict_are_bounded_and_leave_nothing),
            T(a_piece_that_was_added_unheard_stays),
            T(an_open_request_is_polled),
            T(an_answer_that_makes_no_sense_is_an_error_of_the_agent),
            T(environments_count_together),
            T(environments_begin_at_once),
            T(requests_now_and_then_cost_no_write),
            T(counting_makes_no_claim),
        };
#undef T
        failed = store_suite_run("store_dynamodb", dynamodb_open, dynamodb_close) +
                 cmocka_run_group_tests_name("store_dynamodb, beside the suite", tests, NULL, NULL);
    }
    http_client_free(http);
    uv_close((uv_handle_t *)&tick, NULL);
    loop_done(&loop);
    curl_global_cleanup();
    return failed;
}
