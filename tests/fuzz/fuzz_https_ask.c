/* libFuzzer target: one request over https, at a server that the input is. Byte 0 says how that goes (is
 * there an address, does it answer, how does the connection end, is it a form), byte 1 in which pieces the
 * answer comes; then the URL, and behind a LF the answer. The request that was sent is one request. */
#include <netdb.h>

#include "fuzz.h"
#include "http/head.h"
#include "net/wire.h"
#include "oidc/https_ask.h"

enum {
    HAS_FORM = 1,
    NO_NAME = 2,       /* the name is not known */
    FIRST_IS_DEAD = 4, /* there are two addresses */
    NO_TLS = 8,
    NO_WIRE = 16,
    ENDS_BADLY = 32, /* with an error, or a reason */
    NEVER_ENDS = 64,
    NO_LOOP = 128,
};

static struct {
    unsigned how, piece;
    struct view answer;
    size_t opened;
    uint64_t now_ms;
    bool is_quit;
    struct buf sent;
    const struct wire_events *events;
    void *ctx;
} world;

static uint64_t now_ms(void *ctx) {
    (void)ctx;
    return world.now_ms;
}

/* ---- what the product calls ---- */

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **res) {
    static struct sockaddr address;
    static struct addrinfo second = {.ai_addr = &address}, first = {.ai_addr = &address, .ai_next = &second};
    require(*node && *service && hints->ai_socktype == SOCK_STREAM);
    if (world.how & NO_NAME) return EAI_NONAME;
    *res = &first;
    return 0;
}

void freeaddrinfo(struct addrinfo *res) {
    (void)res;
}

bool loop_init(struct loop *loop) {
    if (world.how & NO_LOOP) return false;
    timers_init(&loop->timers, now_ms, NULL, NULL);
    return true;
}

void loop_done(struct loop *loop) {
    timers_done(&loop->timers);
}

void loop_quit(struct loop *loop) {
    (void)loop;
    world.is_quit = true;
}

struct wire_tls *wire_tls_new(const char *host, const struct wire_trust *trust, char *error,
                              size_t error_size) {
    require(*host && trust);
    if (!(world.how & NO_TLS)) return malloc(1);
    snprintf(error, error_size, "no TLS");
    return NULL;
}

void wire_tls_free(struct wire_tls *tls) {
    free(tls);
}

struct wire *wire_open(struct loop *loop, const struct sockaddr *address, const struct wire_way *way,
                       struct wire_tls *tls, const struct wire_events *events, void *ctx) {
    require(loop && address && !way && tls);
    world.events = events;
    world.ctx = ctx;
    world.opened++;
    return world.how & NO_WIRE ? NULL : malloc(1);
}

void wire_free(struct wire *wire) {
    free(wire);
}

void wire_write(struct wire *wire, struct view bytes) {
    (void)wire;
    require(buf_append_view(&world.sent, bytes));
}

static void end(enum wire_failure failure, int error, const char *reason) {
    world.events->on_end(world.ctx, &(struct wire_end){.failure = failure, .error = error, .reason = reason});
}

static void come(struct loop *loop) {
    world.events->on_connected(world.ctx);
    world.events->on_up(world.ctx);
    world.events->on_drained(world.ctx);
    while (world.answer.len && !world.is_quit) {
        char *piece = exact_copy(view_slice(world.answer, 0, world.piece));
        size_t len = world.piece < world.answer.len ? world.piece : world.answer.len;
        world.answer = view_skip(world.answer, len);
        world.events->on_bytes(world.ctx, view_of(piece, len));
        free(piece);
    }
    if (world.is_quit) return;
    if (!(world.how & NEVER_ENDS)) end(WIRE_CUT, world.how & ENDS_BADLY ? UV_ECONNRESET : 0, NULL);
    world.now_ms += 60000;
    timers_run(&loop->timers);
}

void loop_run(struct loop *loop) {
    world.is_quit = false;
    if (world.opened == 1 && world.how & FIRST_IS_DEAD)
        end(WIRE_UNREACHABLE, UV_ECONNREFUSED, NULL);
    else if ((world.how & ENDS_BADLY) && (world.how & NEVER_ENDS))
        end(WIRE_TLS, 0, "it is somebody else");
    else
        come(loop);
    require(world.is_quit);
}

/* ---- what it did ---- */

static void check_request(struct view form) {
    struct arena arena;
    struct request_head head;
    size_t len;
    if (!world.sent.len) return;
    arena_init(&arena, (size_t)256 * 1024);
    require(request_head_parse(buf_view(&world.sent), world.sent.len, &arena, &head, &len) == HEAD_COMPLETE);
    require(view_eq(head.method, form.ptr ? VIEW("POST") : VIEW("GET")) && head.target.ptr[0] == '/');
    require(headers_count(&head.headers, VIEW("host")) == 1 && len + form.len == world.sent.len);
    arena_done(&arena);
}

static void ask(const char *url) {
    char error[128] = "";
    struct view form = world.how & HAS_FORM ? VIEW("a=b") : (struct view){0};
    struct buf body;
    buf_init(&body, HTTPS_ANSWER_MAX);
    buf_init(&world.sent, HTTPS_ANSWER_MAX);
    int status = https_ask(url, form, NULL, &body, error, sizeof(error));
    require(status == 0 || (status >= 100 && status <= 999));
    require(status || (error[0] && !strstr(error, "Unknown system error")));
    require(world.opened == 0 || https_url_is_sane(view_from_cstr(url)));
    check_request(form);
    buf_done(&world.sent);
    buf_done(&body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char url[2048];
    memset(&world, 0, sizeof(world));
    if (size < 2) return 0;
    world.how = data[0];
    world.piece = data[1] + 1u;
    world.answer = view_of(data + 2, size - 2);
    if (view_copy_to(take_line(&world.answer), url, sizeof(url))) ask(url);
    return 0;
}
