/* libFuzzer target: what opens the agent port. The first byte says whether the rest is a request as it is, or
 * the values of its fields, a line each, which a right handshake then has: Sec-WebSocket-Key, the peer's
 * field, a further line. Whatever is let in is one GET with one key, however many bytes came so far. */
#include "agents/handshake.h"
#include "agents/peer_guard.h"
#include "agents/peer_protocol.h"
#include "fuzz.h"

#define NOW_MS 1700000000000u

static const unsigned char key[SECRET_LEN] = "a key of the fuzz target alone";

static void require_right(const struct handshake *handshake, struct view bytes) {
    const struct headers *headers = &handshake->head.headers;
    require(view_eq(handshake->head.method, VIEW("GET")) && handshake->head.minor_version == 1);
    require(handshake->len <= bytes.len && handshake->len <= HANDSHAKE_BYTES_MAX && handshake->key.len == 24);
    require(headers_count(headers, VIEW("host")) == 1 && !headers_count(headers, VIEW("content-length")));
}

static void check_reply(const struct peer_guard *guard, const struct headers *headers, const char *reply) {
    struct peer_greeting greeting = {.from = headers_get(headers, VIEW(PEER_FROM)),
                                     .to = view_from_cstr(guard->url)};
    require(peer_proof_check(headers_get(headers, VIEW(PEER_PROOF)), key, NOW_MS, &greeting) == PEER_PROVED);
    require(peer_reply_check(view_from_cstr(reply), &greeting, key));
}

/* A link is let in at most once with the same words, and by its own proof alone. */
static void ask_guard(const struct headers *headers) {
    struct peer_guard guard;
    struct view why = {NULL, 0};
    char reply[PEER_REPLY_LEN + 1];
    peer_guard_init(&guard, "ws://b:8081");
    peer_guard_set_key(&guard, key);
    if (peer_guard_is_meant(headers)) {
        int status = peer_guard_check(&guard, headers, NOW_MS, reply, &why);
        require(status == 101 ? strlen(reply) == PEER_REPLY_LEN : status >= 400 && why.len > 0);
        if (status == 101) check_reply(&guard, headers, reply);
        if (status == 101) require(peer_guard_check(&guard, headers, NOW_MS, reply, &why) != 101);
        require(peer_guard_check(&guard, headers, NOW_MS + 3600000, reply, &why) != 101); /* it comes late */
    }
    peer_guard_done(&guard);
}

static int check(struct view bytes, bool asks_guard) {
    struct arena arena;
    struct handshake handshake;
    struct view why;
    struct buf refusal;
    char *copy = exact_copy(bytes);
    arena_init(&arena, (size_t)64 * 1024);
    int status = handshake_check(view_of(copy, bytes.len), &arena, &handshake, &why);
    if (status == 101) require_right(&handshake, bytes);
    if (status == 101 && asks_guard) ask_guard(&handshake.head.headers);
    if (status && status != 101) {
        require(status >= 400 && why.len > 0);
        buf_init(&refusal, 4096);
        handshake_print_refusal(&refusal, status, why);
        require(!refusal.failed);
        buf_done(&refusal);
    }
    arena_done(&arena);
    free(copy);
    return status;
}

/* With a proof that is signed rightly where the line of the input says so by a leading '='. */
static void with_fields(struct view rest, struct buf *request) {
    struct view nonce = take_line(&rest), line = take_line(&rest);
    buf_printf(request,
               "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n"
               "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %.*s\r\n",
               VIEW_ARG(nonce));
    buf_printf(request, "Sec-WebSocket-Protocol: " PEER_SUBPROTOCOL "\r\n" PEER_FROM ": ws://a:8081\r\n");
    buf_printf(request, PEER_PROOF ": ");
    struct peer_greeting greeting = {
        .from = VIEW("ws://a:8081"), .to = VIEW("ws://b:8081"), .time_ms = NOW_MS + line.len};
    greeting.nonce = view_skip(line, 1);
    require(!peer_reply_check(line, &greeting, key)); /* nobody guesses it */
    if (!view_starts_with(line, VIEW("=")) || !peer_proof_encode(request, &greeting, key))
        buf_append_view(request, line);
    buf_printf(request, "\r\n");
    buf_append_view(request, rest);
    buf_printf(request, "\r\n\r\n");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct buf request;
    if (size == 0) return 0;
    buf_init(&request, (size_t)64 * 1024);
    if (data[0] % 2)
        with_fields(view_of(data + 1, size - 1), &request);
    else
        buf_append(&request, data + 1, size - 1);
    struct view bytes = buf_view(&request);
    int status = check(bytes, true);
    size_t cut = bytes.len * data[0] / 256;
    int part = check(view_slice(bytes, 0, cut), false);
    require(part == 0 || part == status || status == 0);
    buf_done(&request);
    return 0;
}
