/* libFuzzer target: a Redis that answers anything. What the store asks for is asked for, all of it; then each
 * reply of the input (RESP, read by hiredis) answers the oldest call that waits, an error fails it, and a
 * simple string is what was heard on a channel, or lets two seconds pass ('~'). Each completion comes once,
 * or never when the store has stopped. */
#include "fuzz.h"
#include "fuzz_log.h"
#include "store/redis_link.h"
#include "store/redis_script.h"
#include "store/store_redis.h"

#define WALL_MS 1700000000000u

struct call {
    redis_done_fn *done;
    void *ctx;
};

struct redis_link {
    struct redis_link_settings settings;
    struct call *calls; /* the oldest is at `first` */
    size_t first, count, room;
};

static struct redis_link *links[2]; /* commands, channel */
static size_t link_count, asked, told;
static char put_id[V1_REQUEST_ID_MAX + 1]; /* of what was put last, or a foreign one */

/* ---- the connection, of which the store knows these ---- */

struct redis_link *redis_link_new(const struct redis_link_settings *settings) {
    struct redis_link *link = calloc(1, sizeof(*link));
    require(link && link_count < 2);
    link->settings = *settings;
    return links[link_count++] = link;
}

static void answer(struct redis_link *link, enum status status, const redisReply *reply) {
    struct call call = link->calls[link->first++];
    link->count--;
    if (call.done) call.done(call.ctx, status, status == STATUS_OK ? reply : NULL);
}

void redis_link_free(struct redis_link *link) {
    if (!link) return;
    while (link->count) answer(link, STATUS_UNAVAILABLE, NULL);
    free(link->calls);
    free(link);
}

static void call(struct redis_link *link, redis_done_fn *done, void *ctx) {
    size_t end = link->first + link->count;
    if (end == link->room) {
        link->room = 2 * link->room + 16;
        link->calls = realloc(link->calls, link->room * sizeof(link->calls[0]));
        require(link->calls != NULL);
    }
    link->calls[end] = (struct call){done, ctx};
    link->count++;
}

void redis_link_call(struct redis_link *link, const struct view *words, size_t count, bool again,
                     redis_done_fn *done, void *ctx) {
    (void)again;
    for (size_t i = 0; i < count; i++) require(words[i].ptr || !words[i].len);
    call(link, done, ctx);
}

void redis_script_load(struct redis_link *link, struct redis_script *script) {
    (void)link;
    require(script->text != NULL);
}

void redis_script_run(struct redis_link *link, const struct redis_script_call *wanted, redis_done_fn *done,
                      void *ctx) {
    require(wanted->key_count <= wanted->word_count && wanted->word_count <= REDIS_SCRIPT_WORDS_MAX);
    call(link, done, ctx);
}

bool redis_link_is_up(const struct redis_link *link) {
    return link != NULL;
}

void redis_link_drop(struct redis_link *link, const char *why) {
    (void)link, (void)why;
}

void redis_link_content(struct redis_link *link) {
    (void)link;
}

size_t redis_link_owed(const struct redis_link *link) {
    return link->count;
}

const char *redis_link_library(void) {
    return "none";
}

/* ---- who asks ---- */

static void count(uint64_t ticket) {
    require(ticket < 64 && told < asked);
    told++;
}

static void on_claim(void *target, uint64_t ticket, enum status status, const struct claim *claim,
                     struct view options) {
    (void)target;
    count(ticket);
    require((claim != NULL) == (status == STATUS_OK) && (claim == NULL || options.ptr));
    if (claim) require(memchr(claim->tunnel_id, '\0', sizeof(claim->tunnel_id)) && claim->epoch > 0);
}

static void on_done(void *target, uint64_t ticket, enum status status) {
    (void)target, (void)status;
    count(ticket);
}

static void on_put(void *target, uint64_t ticket, enum status status, struct view request_id) {
    (void)target;
    count(ticket);
    require(status != STATUS_OK || request_id.len > 0);
    if (status == STATUS_OK) require(view_copy_to(request_id, put_id, sizeof(put_id)));
}

static void on_take(void *target, uint64_t ticket, enum status status, struct v1_message *answer_taken) {
    (void)target;
    count(ticket);
    require((answer_taken != NULL) == (status == STATUS_OK));
    if (answer_taken) require(answer_taken->type == V1_HTTP_RESPONSE || answer_taken->type == V1_ERROR);
    v1_message_free(answer_taken);
}

static void ask(struct store_redis *store) {
    struct registry registry = store_redis_registry(store);
    struct mailbox mailbox = store_redis_mailbox(store);
    static const struct claim claim = {
        .tunnel_id = "t",
        .owner = "sub:o",
        .epoch = 2,
        .expires_ms = WALL_MS + 1,
        .member = {.link = {.gateway = "ws://a", .connection = "c"}, .state = CLAIM_CONNECTING, .epoch = 2}};
    const struct claim_write write = {.claim = &claim,
                                      .expected_epoch = 1,
                                      .expected_states = 7,
                                      .options =
                                          asked % 2 ? VIEW("{\"labels\":[\"a=b\"]}") : (struct view){0}};
    const struct pending pending = {.connection_id = VIEW("c"), .expires_ms = WALL_MS + 1000};
    static const struct link other = {.gateway = "ws://b", .connection = "d"};
    enum status status;
    struct v1_message *error = v1_message_parse(
        VIEW("{\"type\":\"error\",\"request_id\":\"r\",\"code\":\"timeout\",\"message\":\"m\"}"), 1024,
        &status);
    require(error != NULL);
    asked += 7; /* of `remove` nobody is told */
    registry.lookup(registry.ctx, VIEW("t"), on_claim, NULL, 1);
    mailbox.take(mailbox.ctx, view_from_cstr(put_id), on_take, NULL, 2);
    registry.lookup_connection(registry.ctx, VIEW("c"), on_claim, NULL, 3);
    mailbox.put(mailbox.ctx, &pending, on_put, NULL, 4);
    registry.store(registry.ctx, &write, on_done, NULL, 5);
    store_redis_send(store, &other, VIEW("{}"), on_done, NULL, 6);
    mailbox.complete(mailbox.ctx, view_from_cstr(put_id), VIEW("c"), error, on_done, NULL, 7);
    mailbox.remove(mailbox.ctx, view_from_cstr(put_id));
}

static void deliver(void *ctx, struct view connection_id, struct view message, agent_sent_fn *done,
                    void *target, uint64_t ticket) {
    (void)ctx;
    require(connection_id.ptr && message.ptr);
    done(target, ticket, message.len % 2 ? STATUS_OK : STATUS_GONE);
}

static void on_name(void *ctx, struct view name) {
    (void)ctx, (void)name;
}

static void on_news(void *ctx) {
    (void)ctx;
}

static void on_denial(void *ctx, struct view key, bool was_removed) {
    (void)ctx, (void)was_removed;
    require(key.ptr != NULL);
}

static void on_spent(void *ctx, struct view owner, const struct spending *spent) {
    (void)ctx;
    require(owner.ptr && spent);
}

static bool on_asked(void *ctx, struct view question, struct buf *said) {
    (void)ctx;
    return question.len % 2 && buf_append_view(said, VIEW("[]"));
}

/* ---- the input ---- */

/* hiredis takes memory for as many elements as an array says that it has (before 1.0 without a bound), and
 * Redis is trusted that far: arrays of this input have at most 9999. */
static bool has_huge_array(struct view bytes) {
    for (size_t i = 0, digits = 0; i < bytes.len; i++) {
        char c = bytes.ptr[i];
        bool counts = c >= '0' && c <= '9' && digits;
        digits = c == '*' ? 1 : counts ? digits + 1 : 0;
        if (digits > 5) return true;
    }
    return false;
}

static uint64_t now_ms;

uint64_t uv_now(const uv_loop_t *loop) {
    (void)loop;
    return now_ms;
}

static void pass_time(struct loop *loop) {
    now_ms += 2000;
    timers_run(&loop->timers);
    tasks_run(&loop->tasks);
}

static void take_reply(struct redis_link *commands, const redisReply *reply) {
    if (reply->type == REDIS_REPLY_STATUS && link_count == 2) {
        struct view text = view_of(reply->str, reply->len);
        char *copy = exact_copy(text);
        for (size_t i = 0; i < text.len; i++)
            if (copy[i] == '|') copy[i] = '\n';
        links[1]->settings.heard(links[1]->settings.ctx, VIEW("channel"), view_of(copy, text.len));
        free(copy);
    } else if (commands->count) {
        bool is_error = reply->type == REDIS_REPLY_ERROR; /* "WRONGTYPE ...": what stands there is no claim */
        enum status error = is_error && reply->str[0] == 'W' ? STATUS_INVALID : STATUS_UNAVAILABLE;
        answer(commands, is_error ? error : STATUS_OK, reply);
    }
}

static bool is_time(const redisReply *reply) {
    return reply->type == REDIS_REPLY_STATUS && reply->len == 1 && reply->str[0] == '~';
}

static void play(struct store_redis *store, struct loop *loop, struct view bytes) {
    redisReader *reader = redisReaderCreate();
    void *reply = NULL;
    require(reader && redisReaderFeed(reader, bytes.ptr, bytes.len) == REDIS_OK);
    for (unsigned i = 0; i < 100 && redisReaderGetReply(reader, &reply) == REDIS_OK && reply; i++) {
        if (is_time(reply))
            pass_time(loop);
        else
            take_reply(links[0], reply);
        freeReplyObject(reply);
        if (!links[0]->count) ask(store);
    }
    redisReaderFree(reader);
}

static uint64_t wall_ms(void *ctx) {
    (void)ctx;
    return WALL_MS;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct loop loop;
    static bool is_ready;
    const char *why = NULL;
    if (size < 4 || has_huge_array(view_of(data, size))) return 0;
    fuzz_hush();
    if (!is_ready) require(loop_init(&loop));
    is_ready = true;
    link_count = asked = told = 0;
    strcpy(put_id, "r");
    struct store_redis_settings settings = {.loop = &loop,
                                            .url = "redis://localhost",
                                            .gateway = "ws://a",
                                            .wall_ms = wall_ms,
                                            .lease_ms = 5000,
                                            .keep_anonymous_ms = 1000,
                                            .keep_owned_ms = 2000,
                                            .message_max_bytes = 4096,
                                            .body_max_bytes = 1024,
                                            .keeps_secret = data[0] % 2};
    struct store_redis *store = store_redis_new(&settings, &why);
    require(store != NULL);
    struct store_redis_events events = {
        .store = {.claim_changed = on_name, .request_completed = on_name, .connection_gone = on_name},
        .reached = on_news,
        .lost = on_news,
        .secret_changed = on_news,
        .emptied = on_news,
        .denial_changed = on_denial,
        .asked = on_asked,
        .deliver = deliver};
    events.store.missed = on_news;
    events.store.spent = on_spent;
    store_redis_listen(store, &events);
    if (data[0] & 2) ask(store);
    links[0]->settings.up(links[0]->settings.ctx);
    require(link_count == 2);
    links[1]->settings.up(links[1]->settings.ctx);
    play(store, &loop, view_of(data + 1, size - 1));
    tasks_run(&loop.tasks);
    store_redis_stop(store);
    store_redis_free(store);
    tasks_run(&loop.tasks);
    return 0;
}
