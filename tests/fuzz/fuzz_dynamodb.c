/* libFuzzer target: DynamoDB's answers. What the stores ask for is asked for; then each line of the input
 * answers the oldest call: JSON with 200 (behind '^': an earlier attempt may have been executed), or behind
 * '!' with 400 and the error's name in front of the first space; '~' lets a second pass. `$R` in it is the id
 * of the request that was put last. Each completion comes once. */
#include "fuzz.h"
#include "fuzz_log.h"
#include "store/store_dynamodb.h"

#define CALLS_MAX 256
#define LINES_MAX 100
#define WALL_MS 1700000000000u

struct aws_call {
    aws_call_fn *done;
    void *ctx;
};

static struct {
    struct aws_call *calls[CALLS_MAX];
    size_t count, asked, told;
    uint64_t now_ms;
    char request_id[V1_REQUEST_ID_MAX + 1];
} world;

/* ---- AWS, of which DynamoDB's client knows these ---- */

struct aws_call *aws_call_start(struct aws_client *client, const struct aws_request *request,
                                aws_call_fn *done, void *ctx) {
    (void)client;
    struct aws_call *call = calloc(1, sizeof(*call));
    require(call && world.count < CALLS_MAX && request->body.len > 0);
    json_t *body = json_loadb(request->body.ptr, request->body.len, JSON_REJECT_DUPLICATES, NULL);
    require(json_is_object(body));
    json_decref(body);
    *call = (struct aws_call){done, ctx};
    return world.calls[world.count++] = call;
}

static void forget(size_t at) {
    memmove(&world.calls[at], &world.calls[at + 1], (--world.count - at) * sizeof(world.calls[0]));
}

void aws_call_cancel(struct aws_call *call) {
    for (size_t i = 0; i < world.count; i++)
        if (world.calls[i] == call) forget(i);
    free(call);
}

static void answer(enum status status, const struct aws_answer *said) {
    if (!world.count) return;
    struct aws_call *call = world.calls[0];
    forget(0);
    call->done(call->ctx, status, said);
    free(call);
}

/* ---- who asks ---- */

static void count(void) {
    require(world.told < world.asked);
    world.told++;
}

static void on_claim(void *target, uint64_t ticket, enum status status, const struct claim *claim,
                     struct view options) {
    (void)target, (void)ticket;
    count();
    require((claim != NULL) == (status == STATUS_OK) && (!claim || options.ptr));
}

static void on_done(void *target, uint64_t ticket, enum status status) {
    (void)target, (void)ticket, (void)status;
    count();
}

static void on_swept(void *target, uint64_t ticket, enum status status, size_t removed) {
    (void)target, (void)ticket, (void)status, (void)removed;
    count();
}

static void on_take(void *target, uint64_t ticket, enum status status, struct v1_message *taken) {
    (void)target, (void)ticket;
    count();
    require((taken != NULL) == (status == STATUS_OK));
    if (taken) require(taken->type == V1_HTTP_RESPONSE || taken->type == V1_ERROR);
    v1_message_free(taken);
}

static void on_put(void *target, uint64_t ticket, enum status status, struct view request_id) {
    (void)ticket;
    count();
    if (status == STATUS_OK) require(view_copy_to(request_id, target, V1_REQUEST_ID_MAX + 1));
}

static struct v1_message *an_answer(void) {
    enum status status;
    struct v1_message *message =
        v1_message_parse(VIEW("{\"type\":\"http_response\",\"request_id\":\"r\",\"status_code\":200,"
                              "\"headers\":{},\"body\":\"aGk=\"}"),
                         1024, &status);
    require(message != NULL);
    return message;
}

static struct v1_message *an_error(void) {
    enum status status;
    return v1_message_parse(
        VIEW("{\"type\":\"error\",\"request_id\":\"r\",\"code\":\"c\",\"message\":\"m\"}"), 1024, &status);
}

/* What changes from one claim to the next, by the bits of `how`. */
static void store_claim(const struct registry *registry, unsigned how) {
    struct claim claim = {.tunnel_id = "t",
                          .owner = "sub:o",
                          .epoch = 2,
                          .expires_ms = how & 1 ? UINT64_MAX : WALL_MS + 1000,
                          .member = {.link = {.connection = "c"}, .state = CLAIM_CONNECTING, .epoch = 2}};
    struct claim_write write = {.claim = &claim, .expected_epoch = how & 2 ? 0 : 1, .expected_states = 5};
    if (how & 4) write.options = how & 2 ? VIEW("x=\n") : VIEW("x=1");
    if (how & 8) claim.member.state = CLAIM_READY, claim.member.until_ms = WALL_MS + 500;
    if (how & 16) claim.member.allowance.rate = 2, strcpy(claim.member.link.gateway, "ws://a");
    if (how == 21) claim.epoch = claim.member.epoch = 1, strcpy(claim.owner, "anon:c"); /* of before claims */
    registry->store(registry->ctx, &write, on_done, NULL, 1);
}

static const char long_id[V1_REQUEST_ID_MAX + 2] = {[0 ... V1_REQUEST_ID_MAX] = 'r'};

static void complete_part(const struct mailbox *mailbox, unsigned how) {
    const struct v1_chunk chunk = {
        .total = 1 + how % 3, .seq = how / 3 % 4, .data = how == 24 ? VIEW("") : VIEW("e30=")};
    mailbox->complete_part(mailbox->ctx, how == 23 ? view_from_cstr(long_id) : VIEW("r"), VIEW("c"), &chunk,
                           on_done, NULL, 1);
}

static void complete(const struct mailbox *mailbox, unsigned how) {
    struct view id = how < 200 ? VIEW("r") : how < 220 ? view_from_cstr(long_id) : VIEW("");
    mailbox->complete(mailbox->ctx, id, VIEW("c"), how < 128 ? an_answer() : an_error(), on_done, NULL, 1);
}

static void on_event(void *ctx, struct view name) {
    (void)ctx;
    require(name.ptr != NULL);
}

static void on_overdue(void *ctx, const struct link *link) {
    (void)ctx;
    require(link->connection[0]);
}

/* Which of the ports' calls a byte is. '.' is none. */
static void ask(struct store_dynamodb *store, uint8_t what) {
    struct registry registry = store_dynamodb_registry(store);
    struct mailbox mailbox = store_dynamodb_mailbox(store);
    const struct pending pending = {.connection_id = VIEW("c"), .expires_ms = WALL_MS + 1000};
    if (what == '.') return;
    world.asked++;
    switch (what % 10) {
    case 0: registry.lookup(registry.ctx, VIEW("t"), on_claim, NULL, 1); break;
    case 1: registry.lookup_connection(registry.ctx, VIEW("c"), on_claim, NULL, 1); break;
    case 2: store_claim(&registry, what / 10); break;
    case 3: registry.sweep(registry.ctx, on_swept, NULL, 1); break;
    case 4: mailbox.put(mailbox.ctx, &pending, on_put, world.request_id, 1); break;
    case 5: mailbox.take(mailbox.ctx, view_from_cstr(world.request_id), on_take, NULL, 1); break;
    case 6: registry.remove_connection(registry.ctx, VIEW("c"), on_done, NULL, 1); break;
    case 7: complete(&mailbox, what); break;
    case 8:
        world.asked--; /* nobody is told */
        mailbox.remove(mailbox.ctx, view_from_cstr(world.request_id));
        break;
    default: complete_part(&mailbox, what / 10);
    }
}

/* ---- the input ---- */

static void put_id(struct buf *out, struct view line) {
    size_t at;
    while ((at = view_find(line, '$')) < line.len) {
        bool is_id = view_starts_with(view_skip(line, at), VIEW("$R"));
        buf_append_view(out, view_slice(line, 0, is_id ? at : at + 1));
        if (is_id) buf_append_view(out, view_from_cstr(world.request_id));
        line = view_skip(line, at + (is_id ? 2 : 1));
    }
    buf_append_view(out, line);
}

static void take_line_of(struct view line) {
    struct aws_answer said = {.http_status = 200};
    if (view_starts_with(line, VIEW("~"))) {
        world.now_ms += 1000;
        return;
    }
    said.repeated = view_starts_with(line, VIEW("^"));
    if (said.repeated) line = view_skip(line, 1);
    bool is_error = view_starts_with(line, VIEW("!"));
    if (is_error) {
        struct view rest = view_skip(line, 1);
        said.http_status = 400;
        view_split(&rest, ' ', &said.error);
        line = rest;
    }
    struct buf body;
    buf_init(&body, (size_t)1024 * 1024);
    put_id(&body, line);
    char *copy = exact_copy(buf_view(&body));
    said.body = view_of(copy, body.len);
    buf_done(&body);
    enum status refused = view_eq(said.error, VIEW("AccessDeniedException")) ? STATUS_DENIED : STATUS_INVALID;
    answer(is_error ? refused : STATUS_OK, &said);
    free(copy);
}

static uint64_t now_ms(void *ctx) {
    (void)ctx;
    return world.now_ms;
}

static uint64_t wall_ms(void *ctx) {
    (void)ctx;
    return WALL_MS;
}

static void play(struct store_dynamodb *store, struct aws_client *aws, struct view rest) {
    struct view orders = take_line(&rest);
    for (size_t lines = 0; rest.ptr && lines < LINES_MAX; lines++) {
        if (lines < orders.len) ask(store, (uint8_t)orders.ptr[lines]);
        take_line_of(take_line(&rest));
        timers_run(aws->timers);
        tasks_run(aws->tasks);
    }
    while (world.count && orders.len % 2) answer(STATUS_UNAVAILABLE, &(struct aws_answer){0});
    tasks_run(aws->tasks);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct timers timers;
    struct tasks tasks;
    struct core_settings core;
    memset(&world, 0, sizeof(world));
    fuzz_hush();
    timers_init(&timers, now_ms, NULL, NULL);
    tasks_init(&tasks, NULL, NULL);
    core_settings_init(&core);
    core.subdomain_routing = size % 3 != 0;
    core.path_routing = size % 3 != 1;
    struct aws_client aws = {.timers = &timers, .tasks = &tasks, .wall_ms = wall_ms};
    struct dynamodb dynamodb = {.aws = &aws, .endpoint = "http://localhost"};
    struct store_dynamodb_settings settings = {
        .connections_table = "c", .requests_table = "r", .core = &core};
    struct store_dynamodb *store = store_dynamodb_new(&dynamodb, &settings);
    require(store != NULL);
    store_dynamodb_listen(store, (struct store_events){.claim_changed = on_event,
                                                       .request_completed = on_event,
                                                       .connection_overdue = on_overdue});
    play(store, &aws, view_of(data, size));
    store_dynamodb_free(store);
    require(world.count == 0);
    timers_done(&timers);
    return 0;
}
