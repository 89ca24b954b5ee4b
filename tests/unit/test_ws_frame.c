/* WebSocket frames: read whole and byte by byte; what a server must not send; what we write, read by the
 * rules of RFC 6455. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/buf.h"
#include "http/ws_frame.h"

#define V(literal)                                                                                           \
    { literal, sizeof(literal) - 1 }

/* As text: t<...> and b<...> are messages ("..." without its '>' has not ended), c(...), p(...) and o(...)
 * close, ping and pong; '!' is the end of all by a mistake. */
static void tell(struct buf *out, const struct ws_piece *piece) {
    static const char letters[] = {
        [WS_TEXT] = 't', [WS_BINARY] = 'b', [WS_CLOSE] = 'c', [WS_PING] = 'p', [WS_PONG] = 'o'};
    bool control = piece->opcode >= WS_CLOSE;
    if (piece->is_first) buf_printf(out, "%c%c", letters[piece->opcode], control ? '(' : '<');
    buf_append_view(out, piece->payload);
    if (piece->is_last) buf_append_byte(out, control ? ')' : '>');
}

static enum ws_step read_some(struct ws_decoder *decoder, struct view bytes, struct buf *out) {
    struct ws_piece piece;
    enum ws_step step;
    while ((step = ws_decode(decoder, &bytes, &piece)) == WS_PIECE) tell(out, &piece);
    if (step == WS_BAD) buf_append_byte(out, '!');
    return step;
}

static const struct {
    const char *name;
    struct view bytes;
    const char *expected;
} rows[] = {
    {"text", V("\x81\x05hello"), "t<hello>"},
    {"binary", V("\x82\x03\x00\x01\x02"), NULL},
    {"empty text", V("\x81\x00"), "t<>"},
    {"two messages",
     V("\x81\x01"
       "a"
       "\x82\x01"
       "b"),
     "t<a>b<b>"},
    {"fragments",
     V("\x01\x02"
       "he"
       "\x00\x02"
       "ll"
       "\x80\x01"
       "o"),
     "t<hello>"},
    {"empty fragments",
     V("\x01\x00"
       "\x00\x00"
       "\x80\x00"),
     "t<>"},
    {"ping between fragments",
     V("\x01\x01"
       "a"
       "\x89\x02"
       "hi"
       "\x80\x01"
       "b"),
     "t<ap(hi)b>"},
    {"length of two bytes",
     V("\x81\x7e\x00\x7e"
       "0123456789012345678901234567890123456789012345678901234567890123"
       "01234567890123456789012345678901234567890123456789012345678901"),
     "t<0123456789012345678901234567890123456789012345678901234567890123"
     "01234567890123456789012345678901234567890123456789012345678901>"},
    {"longest ping",
     V("\x89\x7d"
       "0123456789012345678901234567890123456789012345678901234567890123"
       "0123456789012345678901234567890123456789012345678901234567890"),
     "p(0123456789012345678901234567890123456789012345678901234567890123"
     "0123456789012345678901234567890123456789012345678901234567890)"},
    {"pong", V("\x8a\x00"), "o()"},
    {"close",
     V("\x88\x07\x03\xe8"
       "going"),
     "c(\x03\xe8going)"},
    {"not whole", V("\x81\x05hel"), "t<hel"},
    {"half a head", V("\x81"), ""},
    {"half a long head", V("\x81\x7f\x00\x00\x00"), ""},
    {"reserved bit",
     V("\xc1\x01"
       "a"),
     "!"},
    {"masked",
     V("\x81\x81\x00\x00\x00\x00"
       "a"),
     "!"},
    {"opcode 3", V("\x83\x00"), "!"},
    {"opcode 11", V("\x8b\x00"), "!"},
    {"continuation of nothing",
     V("\x80\x01"
       "a"),
     "!"},
    {"continuation behind the end",
     V("\x81\x01"
       "a"
       "\x80\x01"
       "b"),
     "t<a>!"},
    {"message within a message",
     V("\x01\x01"
       "a"
       "\x81\x01"
       "b"),
     "t<a!"},
    {"fragmented ping", V("\x09\x00"), "!"},
    {"ping of 126", V("\x89\x7e\x00\x7e"), "!"},
    {"length 125 in two bytes", V("\x81\x7e\x00\x7d"), "!"},
    {"length 65535 in eight", V("\x81\x7f\x00\x00\x00\x00\x00\x00\xff\xff"), "!"},
    {"length of 2^63", V("\x81\x7f\x80\x00\x00\x00\x00\x00\x00\x00"), "!"},
    {"text not UTF-8", V("\x81\x01\xff"), "!"},
    {"character over fragments", V("\x01\x01\xc3\x80\x01\xa4"), "t<\xc3\xa4>"},
    {"character that is cut", V("\x01\x01\xe2\x80\x01\x82"), "t<\xe2!"},
    {"the next text begins afresh",
     V("\x81\x01"
       "a"
       "\x81\x02\xc3\xa4"),
     "t<a>t<\xc3\xa4>"},
    {"binary need not be UTF-8",
     V("\x82\x02"
       "a\xff"),
     "b<a\xff>"},
};

/* What a client sends, with a key of 1, 2, 3, 4. */
static const struct {
    const char *name;
    struct view bytes;
    const char *expected;
} client_rows[] = {
    {"text", V("\x81\x85\1\2\3\4igohn"), "t<hello>"},
    {"fragments", V("\x01\x82\1\2\3\4ig\x80\x83\1\2\3\4mnl"), "t<hello>"},
    {"empty", V("\x81\x80\1\2\3\4"), "t<>"},
    {"ping", V("\x89\x82\1\2\3\4ik"), "p(hi)"},
    {"close", V("\x88\x80\1\2\3\4"), "c()"},
    {"unmasked",
     V("\x81\x01"
       "a"),
     "!"},
    {"unmasked and empty", V("\x89\x00"), "!"},
    {"text not UTF-8", V("\x81\x81\1\2\3\4\xfe"), "!"},
    {"half a key", V("\x81\x85\1\2"), ""},
};

/* From a copy, for it is unmasked where it is; every way of cutting it in two. */
static void test_decode_client(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof(client_rows) / sizeof(client_rows[0]); i++) {
        for (size_t cut = 1; cut <= client_rows[i].bytes.len; cut++) {
            struct ws_decoder decoder = {.reads_client = true};
            struct view bytes = client_rows[i].bytes;
            char copy[64];
            struct buf out;
            buf_init(&out, 1024);
            memcpy(copy, bytes.ptr, bytes.len);
            if (read_some(&decoder, view_of(copy, cut), &out) != WS_BAD)
                read_some(&decoder, view_of(copy + cut, bytes.len - cut), &out);
            if (!view_eq(buf_view(&out), view_from_cstr(client_rows[i].expected)))
                fail_msg("%s, cut at %zu: %.*s", client_rows[i].name, cut, VIEW_ARG(buf_view(&out)));
            buf_done(&out);
        }
    }
}

static void test_code_of_what_is_wrong(void **state) {
    (void)state;
    struct ws_decoder frame = {0}, text = {0};
    struct view odd = VIEW("\x83\x00"), no_text = VIEW("\x81\x01\xff");
    struct ws_piece piece;
    assert_int_equal(ws_decode(&frame, &odd, &piece), WS_BAD);
    assert_int_equal(frame.code, WS_CODE_PROTOCOL_ERROR);
    assert_int_equal(ws_decode(&text, &no_text, &piece), WS_BAD);
    assert_int_equal(text.code, WS_CODE_BAD_TEXT);
}

static void test_close_answer(void **state) {
    (void)state;
    static const struct {
        unsigned code, answer;
    } codes[] = {{0, 1002},    {999, 1002},  {1000, 1000}, {1003, 1003}, {1004, 1002},
                 {1005, 1002}, {1006, 1002}, {1007, 1007}, {1014, 1014}, {1015, 1002},
                 {2999, 1002}, {3000, 3000}, {4999, 4999}, {5000, 1002}};
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        const char bytes[2] = {(char)(codes[i].code >> 8), (char)codes[i].code};
        assert_int_equal(ws_close_answer(view_of(bytes, 2)), codes[i].answer);
    }
    assert_int_equal(ws_close_answer(VIEW("")), 0);
    assert_int_equal(ws_close_answer(VIEW("\x03")), 1002);
    assert_int_equal(ws_close_answer(VIEW("\x03\xe8"
                                          "gr\xc3\xbc")),
                     1000);
    assert_int_equal(ws_close_answer(VIEW("\x03\xe8\xff")), 1007);
    assert_int_equal(ws_close_answer(VIEW("\x03\xe8\xc3")), 1007);
}

static void test_decode(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (size_t step = 1; step <= rows[i].bytes.len;
             step += rows[i].bytes.len - 1 ? rows[i].bytes.len - 1 : 1) {
            struct ws_decoder decoder = {0};
            struct buf out;
            buf_init(&out, 1024);
            for (size_t at = 0; at < rows[i].bytes.len && !decoder.detail; at += step)
                read_some(&decoder, view_slice(rows[i].bytes, at, at + step), &out);
            if (rows[i].expected && !view_eq(buf_view(&out), view_from_cstr(rows[i].expected)))
                fail_msg("%s, %zu bytes at a time: %.*s", rows[i].name, step, VIEW_ARG(buf_view(&out)));
            struct ws_piece piece;
            struct view more = VIEW("\x81\x00");
            if (decoder.detail) assert_int_equal(ws_decode(&decoder, &more, &piece), WS_BAD);
            buf_done(&out);
        }
    }
}

/* Unmasks a client's frame as a server would, by the letter of RFC 6455 5.3, and hands it to the decoder. */
static void assert_round_trip(size_t len, enum ws_opcode opcode, uint32_t key) {
    char *room = malloc(WS_HEAD_MAX + len), *payload = room + WS_HEAD_MAX, *expected = malloc(len + 1);
    for (size_t i = 0; i < len; i++) payload[i] = expected[i] = (char)(i * 7 + len);
    struct view frame = ws_frame_masked(payload, len, opcode, true, key);
    unsigned char *at = (unsigned char *)(uintptr_t)frame.ptr;
    assert_true(at[1] & 0x80);
    at[1] &= 0x7f;
    size_t head = at[1] == 126 ? 4 : at[1] == 127 ? 10 : 2;
    assert_int_equal(frame.len, head + 4 + len);
    for (size_t i = 0; i < len; i++) at[head + 4 + i] ^= at[head + i % 4];
    memmove(at + 4, at, head);
    struct view bytes = view_skip(frame, 4);
    struct ws_decoder decoder = {0};
    struct ws_piece piece;
    assert_int_equal(ws_decode(&decoder, &bytes, &piece), WS_PIECE);
    assert_int_equal(piece.opcode, opcode);
    assert_true(piece.is_first && piece.is_last && view_eq(piece.payload, view_of(expected, len)));
    assert_int_equal(bytes.len, 0);
    free(room);
    free(expected);
}

static void test_encode(void **state) {
    (void)state;
    static const size_t lengths[] = {0, 1, 7, 8, 9, 125, 126, 127, 65535, 65536, 300001};
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++)
        for (uint32_t key = 0; key < 0x30201; key += 0x10101) assert_round_trip(lengths[i], WS_BINARY, key);
    assert_round_trip(3, WS_PING, ws_frame_key());
}

static void test_encode_plain(void **state) {
    (void)state;
    static const size_t lengths[] = {0, 125, 126, 65535, 65536};
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        char *room = calloc(1, WS_HEAD_MAX + lengths[i]);
        struct view frame = ws_frame_plain(room + WS_HEAD_MAX, lengths[i], WS_BINARY, true);
        struct ws_decoder decoder = {0};
        struct ws_piece piece;
        assert_int_equal(ws_decode(&decoder, &frame, &piece), WS_PIECE);
        assert_true(piece.is_last && piece.payload.len == lengths[i] && frame.len == 0);
        free(room);
    }
}

static void test_keys_differ(void **state) {
    (void)state;
    char one[WS_HEAD_MAX + 8] = {0}, other[WS_HEAD_MAX + 8] = {0};
    ws_frame_masked(one + WS_HEAD_MAX, 8, WS_TEXT, true, ws_frame_key());
    ws_frame_masked(other + WS_HEAD_MAX, 8, WS_TEXT, true, ws_frame_key());
    assert_memory_not_equal(one + WS_HEAD_MAX, other + WS_HEAD_MAX, 8);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decode),
        cmocka_unit_test(test_decode_client),
        cmocka_unit_test(test_code_of_what_is_wrong),
        cmocka_unit_test(test_close_answer),
        cmocka_unit_test(test_encode),
        cmocka_unit_test(test_encode_plain),
        cmocka_unit_test(test_keys_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
