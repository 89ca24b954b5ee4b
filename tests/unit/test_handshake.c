/* The agents' handshake: what passes and what it is refused with. */
#include "agents/handshake.h"
#include "cmocka_setup.h"

#define START "GET /?token=x HTTP/1.1\r\n"
#define HOST "Host: gateway:8081\r\n"
#define UPGRADE "Upgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"
#define VERSION "Sec-WebSocket-Version: 13\r\n"
#define KEY "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

static int check(struct view bytes, struct handshake *handshake, struct arena *arena) {
    struct view text;
    arena_init(arena, HANDSHAKE_BYTES_MAX * 8);
    int status = handshake_check(bytes, arena, handshake, &text);
    if (status != 0 && status != 101) assert_true(text.len > 0);
    return status;
}

static void test_statuses(void **state) {
    (void)state;
    static const struct {
        const char *name, *bytes;
        int status;
    } rows[] = {
        {"fine", START HOST UPGRADE VERSION KEY "\r\n", 101},
        {"other order and case",
         START KEY VERSION "connection: UPGRADE\r\nupgrade: WebSocket\r\n" HOST "\r\n", 101},
        {"incomplete", START HOST UPGRADE VERSION KEY, 0},
        {"nothing", "", 0},
        {"plain GET", START HOST "\r\n", 426},
        {"h2c", START HOST "Upgrade: h2c\r\nConnection: Upgrade\r\n\r\n", 426},
        {"POST", "POST / HTTP/1.1\r\n" HOST UPGRADE VERSION KEY "\r\n", 405},
        {"CONNECT", "CONNECT a:1 HTTP/1.1\r\n" HOST "\r\n", 405},
        {"HTTP/1.0", "GET / HTTP/1.0\r\n" HOST UPGRADE VERSION KEY "\r\n", 505},
        {"no Host", START UPGRADE VERSION KEY "\r\n", 400},
        {"two Hosts", START HOST HOST UPGRADE VERSION KEY "\r\n", 400},
        {"no Connection", START HOST "Upgrade: websocket\r\n" VERSION KEY "\r\n", 426},
        {"version 8", START HOST UPGRADE "Sec-WebSocket-Version: 8\r\n" KEY "\r\n", 426},
        {"two versions", START HOST UPGRADE VERSION VERSION KEY "\r\n", 426},
        {"no key", START HOST UPGRADE VERSION "\r\n", 400},
        {"two keys", START HOST UPGRADE VERSION KEY KEY "\r\n", 400},
        {"short key", START HOST UPGRADE VERSION "Sec-WebSocket-Key: c2hvcnQ=\r\n\r\n", 400},
        {"key of 17 bytes", START HOST UPGRADE VERSION "Sec-WebSocket-Key: MTIzNDU2Nzg5MDEyMzQ1Njc=\r\n\r\n",
         400},
        {"no base64", START HOST UPGRADE VERSION "Sec-WebSocket-Key: !!!!!!!!!!!!!!!!!!!!!!==\r\n\r\n", 400},
        {"a body", START HOST UPGRADE VERSION KEY "Content-Length: 1\r\n\r\nx", 400},
        {"chunks", START HOST UPGRADE VERSION KEY "Transfer-Encoding: chunked\r\n\r\n", 400},
        {"garbage", "\x16\x03\x01\x02\r\n\r\n", 400},
        {"bare LF", "GET / HTTP/1.1\nHost: a\n\n", 400},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct handshake handshake;
        struct arena arena;
        int status = check(view_from_cstr(rows[i].bytes), &handshake, &arena);
        /* a parser may want more bytes before it calls a line malformed */
        if (status != rows[i].status && !(status == 0 && rows[i].status == 400))
            fail_msg("%s: %d, not %d", rows[i].name, status, rows[i].status);
        arena_done(&arena);
    }
}

static void test_result(void **state) {
    (void)state;
    struct handshake handshake;
    struct arena arena;
    const struct view bytes = VIEW(START HOST UPGRADE VERSION KEY "\r\n\x81\x00");
    assert_int_equal(check(bytes, &handshake, &arena), 101);
    assert_int_equal(handshake.len, bytes.len - 2);
    assert_true(view_eq(handshake.key, VIEW("dGhlIHNhbXBsZSBub25jZQ==")));
    assert_true(view_eq(handshake.head.target, VIEW("/?token=x")));
    arena_done(&arena);
}

static void test_too_large(void **state) {
    (void)state;
    struct handshake handshake;
    struct arena arena;
    struct buf bytes;
    buf_init(&bytes, HANDSHAKE_BYTES_MAX + 100);
    buf_printf(&bytes, START "X: ");
    while (bytes.len < HANDSHAKE_BYTES_MAX) buf_append_byte(&bytes, 'x');
    assert_int_equal(check(buf_view(&bytes), &handshake, &arena), 431);
    arena_done(&arena);
    buf_done(&bytes);
}

static void test_refusal(void **state) {
    (void)state;
    struct buf out;
    buf_init(&out, 4096);
    handshake_print_refusal(&out, 409, VIEW("The name is taken."));
    assert_true(
        view_eq(buf_view(&out), VIEW("HTTP/1.1 409 Conflict\r\nContent-Type: text/plain; charset=utf-8\r\n"
                                     "X-Content-Type-Options: nosniff\r\n"
                                     "Content-Security-Policy: default-src 'none'; frame-ancestors 'none'\r\n"
                                     "Content-Length: 19\r\nConnection: close\r\n\r\nThe name is taken.\n")));
    buf_done(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_statuses),
        cmocka_unit_test(test_result),
        cmocka_unit_test(test_too_large),
        cmocka_unit_test(test_refusal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
