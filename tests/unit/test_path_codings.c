/* Pages in path mode that come compressed: decoded, brought under the tunnel's prefix, and sent on in a
 * coding that the visitor knows. */
#include "base/base64.h"
#include "coded_page.h"
#include "coding/coding.h"
#include "test_core_guest.h"

#define PAGE "<!doctype html><title>t</title><a href=\"/x\">x</a>"
#define GZIP_BITS (15 + 16)

static struct view undone(struct view body) {
    static char out[65536];
    z_stream zlib = {.next_in = (unsigned char *)(uintptr_t)body.ptr,
                     .avail_in = (unsigned)body.len,
                     .next_out = (unsigned char *)out,
                     .avail_out = sizeof(out)};
    assert_int_equal(inflateInit2(&zlib, GZIP_BITS), Z_OK);
    int status = inflate(&zlib, Z_FINISH);
    inflateEnd(&zlib);
    return status == Z_STREAM_END ? view_of(out, zlib.total_out) : (struct view){0};
}

static bool holds(struct view text, const char *wanted) {
    struct view word = view_from_cstr(wanted);
    for (size_t i = 0; i < text.len; i++)
        if (view_starts_with(view_skip(text, i), word)) return true;
    return false;
}

/* A page, asked for in path mode; `fields`: of the answer, in JSON, with a comma behind. */
static void shows_page(struct world *world, struct guest *guest, const char *accepts, bool is_gzip,
                       const char *fields) {
    char target[100], more[1024], body[800];
    snprintf(target, sizeof(target), "/%s/a", world->tunnel);
    is_let_in(world, guest,
              &(struct ask){.target = target,
                            .host = "localhost:8080",
                            .fields = {HTML, {"Accept-Encoding", accepts}}});
    struct view sent = is_gzip ? deflated(VIEW(PAGE), GZIP_BITS) : VIEW(PAGE);
    size_t len = base64_encode(sent, body);
    snprintf(more, sizeof(more), ",\"headers\":{%s\"Content-Type\":[\"text/html\"]},\"body\":\"%.*s\"",
             fields, (int)len, body);
    agent_answers(world, "one", last_sent(world)->request_id, 200, more);
    pass(world, 10);
    assert_int_equal(guest->visitor.status, 200);
    assert_true(guest->visitor.ended);
}

static void pages_in_codings(void **state) {
    struct world *world = *state;
    static const struct {
        const char *accepts, *fields;
        bool is_gzip;
        const char *encoding, *vary; /* told; "": none */
        size_t varies;
    } rows[] = {
        {"gzip", "\"Content-Encoding\":[\"gzip\"],", true, "gzip", "accept-encoding", 2},
        {"identity", "\"Content-Encoding\":[\"gzip\"],", true, "", "accept-encoding", 2},
        {"gzip", "\"Content-Encoding\":[\"gzip\"],\"Vary\":[\"origin, Accept-Encoding\"],", true, "gzip",
         "origin, Accept-Encoding", 2},
        {"gzip", "\"Content-Encoding\":[\"gzip\"],\"Vary\":[\"*\"],", true, "gzip", "*", 1},
        {"gzip", "\"Content-Encoding\":[\"gzip\"],\"Vary\":[\"origin\"],", true, "gzip", "origin", 3},
        {"gzip", "", false, "", "sec-fetch-dest, x-requested-with", 1},
    };
    char link[100];
    assert_int_equal(agent_with_rules(world, "/", NULL), 200);
    snprintf(link, sizeof(link), "href=\"/%s/x\"", world->tunnel);
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct guest guest;
        shows_page(world, &guest, rows[i].accepts, rows[i].is_gzip, rows[i].fields);
        assert_told(&guest, "content-encoding", rows[i].encoding);
        assert_told(&guest, "vary", rows[i].vary);
        assert_int_equal(headers_count(&guest.headers, VIEW("vary")), rows[i].varies);
        assert_told(&guest, "x-tunnel-rewrite-applied", "true");
        struct view body = buf_view(&guest.visitor.body);
        if (rows[i].encoding[0]) body = undone(body);
        if (!holds(body, link)) fail_msg("row %zu: %.*s", i, VIEW_ARG(body));
        forget(&guest);
    }
}

/* What is no gzip after all is cut, and not shown as if it were whole. */
static void what_cannot_be_decoded_is_cut(void **state) {
    struct world *world = *state;
    struct guest guest;
    char target[100];
    assert_int_equal(agent_with_rules(world, "/", NULL), 200);
    snprintf(target, sizeof(target), "/%s/a", world->tunnel);
    is_let_in(world, &guest, &(struct ask){.target = target, .host = "localhost:8080", .fields = {HTML}});
    agent_answers(world, "one", last_sent(world)->request_id, 200,
                  ",\"headers\":{\"Content-Encoding\":[\"gzip\"],\"Content-Type\":[\"text/"
                  "html\"]},\"body\":\"eHl6enk=\"");
    pass(world, 10);
    assert_true(guest.visitor.aborted);
    assert_false(guest.visitor.ended);
    forget(&guest);
}

/* The script that goes into a page knows its policy: the last word that is one. */
static void what_a_page_says_of_referrers(void **state) {
    struct world *world = *state;
    static const struct {
        const char *fields, *said; /* NULL: nothing */
    } rows[] = {
        {"\"Referrer-Policy\":[\"no-referrer, same-origin\"],", " data-referrer-policy=\"same-origin\""},
        {"\"Referrer-Policy\":[\"origin\"],", " data-referrer-policy=\"origin\""},
        {"\"Referrer-Policy\":[\"Same-Origin\"],", NULL},
        {"\"Referrer-Policy\":[\"x<same-origin\"],", NULL},
    };
    assert_int_equal(agent_with_rules(world, "/", NULL), 200);
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct guest guest;
        shows_page(world, &guest, "identity", false, rows[i].fields);
        struct view body = buf_view(&guest.visitor.body); /* what stands in the script's own tag */
        struct view tag = view_slice(body, 0, view_find(view_skip(body, 20), '>') + 20);
        if (holds(tag, rows[i].said ? rows[i].said : "referrer") != (rows[i].said != NULL))
            fail_msg("row %zu: %.*s", i, VIEW_ARG(tag));
        forget(&guest);
    }
}

/* What its head said holds, though the message it came in is gone before all of it is made. */
static void a_page_outlasts_its_message(void **state) {
    struct world *world = *state;
    enum { BEFORE = 300 * 1024 };
    struct guest guest;
    static char text[BEFORE + 100];
    char target[100], more[1024], body[800];
    memset(text, ' ', BEFORE);
    size_t len = BEFORE + (size_t)snprintf(text + BEFORE, 100, "<a href=\"http://localhost:3000/x\">x</a>");
    len = base64_encode(deflated(view_of(text, len), GZIP_BITS), body);
    assert_int_equal(agent_with_rules(world, "/", NULL), 200);
    snprintf(target, sizeof(target), "/%s/a", world->tunnel);
    is_let_in(world, &guest, &(struct ask){.target = target, .host = "localhost:8080", .fields = {HTML}});
    snprintf(more, sizeof(more),
             ",\"headers\":{\"Content-Encoding\":[\"gzip\"],\"Content-Type\":[\"text/html\"],"
             "\"Referrer-Policy\":[\"origin\"],\"X-Tunnel-Service\":[\"localhost:3000\"]},\"body\":\"%.*s\"",
             (int)len, body);
    agent_answers(world, "one", last_sent(world)->request_id, 200, more);
    assert_true(guest.visitor.body.len > 0 && !guest.visitor.ended);
    for (int i = 0; i < 10; i++) pass(world, 1);
    assert_true(guest.visitor.ended);
    assert_true(shows(&guest, " data-referrer-policy=\"origin\" data-service=\"localhost:3000\">"));
    snprintf(target, sizeof(target), "href=\"http://localhost:8080/%s/x\"", world->tunnel);
    assert_true(shows(&guest, target));
    forget(&guest);
}

int main(void) {
    const struct CMUnitTest tests[] = {TEST(pages_in_codings), TEST(what_cannot_be_decoded_is_cut),
                                       TEST(what_a_page_says_of_referrers),
                                       TEST(a_page_outlasts_its_message)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
