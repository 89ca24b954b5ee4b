/* libFuzzer target: DynamoDB's answers. What the stores ask for is asked for; then each line of the input
 * answers the oldest call: JSON with 200 (behind '^': an earlier attempt may have been executed), or behind
 * '!' with 400 and the error's name in front of the first space; '~' lets a second pass. Each completion
 * comes once. */
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

/* Which of the ports' calls, and in which order, the first byte says. */
static void ask(struct store_dynamodb *store, uint8_t what) {
    static char request_id[V1_REQUEST_ID_MAX + 1];
    struct registry registry = {0};
    struct mailbox mailbox = store_dynamodb_mailbox(store);
    registry = store_dynamodb_registry(store);
    static const struct claim claim = {.tunnel_id = "t",
                                       .owner = "sub:o",
                                       .epoch = 2,
                                       .expires_ms = WALL_MS + 1000,
                                       .member = {.link = {.connection = "c"}, .state = 1, .epoch = 2}};
    const struct claim_write write = {.claim = &claim, .expected_epoch = 1, .expected_states = 7};
    const struct pending pending = {.connection_id = VIEW("c"), .expires_ms = WALL_MS + 1000};
    world.asked++;
    switch (what % 10) {
    case 0: registry.lookup(registry.ctx, VIEW("t"), on_claim, NULL, 1); break;
    case 1: registry.lookup_connection(registry.ctx, VIEW("c"), on_claim, NULL, 1); break;
    case 2: registry.store(registry.ctx, &write, on_done, NULL, 1); break;
    case 3: registry.sweep(registry.ctx, on_swept, NULL, 1); break;
    case 4: mailbox.put(mailbox.ctx, &pending, on_put, request_id, 1); break;
    case 5: mailbox.take(mailbox.ctx, view_from_cstr(request_id), on_take, NULL, 1); break;
    case 6: registry.remove_connection(registry.ctx, VIEW("c"), on_done, NULL, 1); break;
    case 7: mailbox.complete(mailbox.ctx, VIEW("r"), VIEW("c"), an_answer(), on_done, NULL, 1); break;
    case 8:
        world.asked--; /* nobody is told */
        mailbox.remove(mailbox.ctx, view_from_cstr(request_id));
        break;
    default:
        mailbox.complete_part(mailbox.ctx, VIEW("r"), VIEW("c"),
                              &(struct v1_chunk){.total = 1, .data = VIEW("e30=")}, on_done, NULL, 1);
    }
}

/* ---- the input ---- */

static void take_line_of(struct view line) {
    struct aws_answer said = {.http_status = 200};
    if (view_starts_with(line, VIEW("~"))) {
        world.now_ms += 1000;
        return;
    }
    bool is_error = view_starts_with(line, VIEW("!"));
    said.repeated = view_starts_with(line, VIEW("^"));
    if (said.repeated) line = view_skip(line, 1);
    if (is_error) {
        struct view rest = view_skip(line, 1);
        said.http_status = 400;
        view_split(&rest, ' ', &said.error);
        line = rest;
    }
    char *copy = exact_copy(line);
    said.body = view_of(copy, line.len);
    answer(is_error ? STATUS_INVALID : STATUS_OK, &said);
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
    while (world.count) answer(STATUS_UNAVAILABLE, &(struct aws_answer){0});
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
    struct aws_client aws = {.timers = &timers, .tasks = &tasks, .wall_ms = wall_ms};
    struct dynamodb dynamodb = {.aws = &aws, .endpoint = "http://localhost"};
    struct store_dynamodb_settings settings = {
        .connections_table = "c", .requests_table = "r", .core = &core};
    struct store_dynamodb *store = store_dynamodb_new(&dynamodb, &settings);
    require(store != NULL);
    play(store, &aws, view_of(data, size));
    store_dynamodb_free(store);
    require(world.count == 0);
    timers_done(&timers);
    return 0;
}
