#include "cmocka_setup.h"
#include "host_field.h"

/* ---- the request ---- */

struct service {
    const char *option, *host;
    uint16_t port;
    const char *scheme;
};

static void what_the_host_becomes(void **state) {
    (void)state;
    static const struct {
        struct service service;
        const char *value;
    } rows[] = {
        {{"rewrite", "localhost", 3000, "http"}, "localhost:3000"},
        {{"rewrite", "127.0.0.1", 3000, "http"}, "localhost:3000"},
        {{"rewrite", "127.1.2.3", 3000, "http"}, "localhost:3000"},
        {{"rewrite", "::1", 3000, "http"}, "localhost:3000"},
        {{"rewrite", "::2", 3000, "http"}, "[::2]:3000"},
        {{"rewrite", "10.0.0.1", 3000, "http"}, "10.0.0.1:3000"},
        {{"rewrite", "box.lan", 80, "http"}, "box.lan"},
        {{"rewrite", "box.lan", 443, "https"}, "box.lan"},
        {{"rewrite", "box.lan", 443, "http"}, "box.lan:443"},
        {{"rewrite", "box.lan", 0, "http"}, "localhost"}, /* a unix socket */
        {{"app.test:1", "box.lan", 3000, "http"}, "app.test:1"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct service *service = &rows[i].service;
        struct host_field field;
        assert_true(host_field_init(&field, service->option, service->host, service->port, service->scheme));
        if (strcmp(field.value, rows[i].value) != 0) fail_msg("%zu: %s", i, field.value);
    }
}

#define PUBLIC "demo.tunnel.example"

/* Each row: a field of the visitor's, and what the service gets; NULL: nothing. */
static void the_request_is_of_one_piece(void **state) {
    (void)state;
    static const struct {
        const char *name, *value, *expected;
    } rows[] = {
        {"host", PUBLIC, "localhost:3000"},
        {"origin", "https://" PUBLIC, "http://localhost:3000"},
        {"origin", "https://" PUBLIC ":444", "https://" PUBLIC ":444"},
        {"origin", "null", "null"},
        {"referer", "https://" PUBLIC "/a?b=https://" PUBLIC "/",
         "http://localhost:3000/a?b=https://" PUBLIC "/"},
        {"referer", "https://" PUBLIC "/id/a", "http://localhost:3000/a"},
        {"referer", "https://" PUBLIC "/id", "http://localhost:3000"},
        {"referer", "https://" PUBLIC "/idle", "http://localhost:3000/idle"},
        {"destination", "https://" PUBLIC "/id/b%20c", "http://localhost:3000/b%20c"},
        {"destination", "/id/b", "/id/b"},
        {"if", "<https://" PUBLIC "/id/b> (<urn:x>)", "<http://localhost:3000/b> (<urn:x>)"},
        {"if", "(<urn:x>)", "(<urn:x>)"},
        {"x-forwarded-host", PUBLIC, "localhost:3000"},
        {"x-forwarded-proto", "https", "http"},
        {"x-forwarded-for", "192.0.2.1", "192.0.2.1"},
        {"x-forwarded-port", "443", NULL},
        {"x-forwarded-ssl", "on", NULL},
        {"forwarded", "host=" PUBLIC ";proto=https", NULL},
    };
    struct host_field field;
    assert_true(host_field_init(&field, "rewrite", "127.0.0.1", 3000, "http"));
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct arena arena;
        struct headers headers;
        struct visitor visitor;
        arena_init(&arena, 65536);
        headers_init(&headers, &arena);
        headers_add(&headers, view_from_cstr(rows[i].name), view_from_cstr(rows[i].value));
        headers_add(&headers, VIEW("x-forwarded-prefix"), VIEW("/id"));
        assert_true(host_field_apply(&field, &headers, VIEW(PUBLIC), &visitor));
        struct view got = headers_get(&headers, view_from_cstr(rows[i].name));
        if ((got.ptr == NULL) != (rows[i].expected == NULL) ||
            !view_eq(got, view_from_cstr(rows[i].expected)))
            fail_msg("%s: %s became %.*s", rows[i].name, rows[i].value, VIEW_ARG(got));
        assert_true(view_eq(visitor.authority, VIEW(PUBLIC)));
        arena_done(&arena);
    }
}

/* ---- the answer ---- */

struct returned {
    const char *name, *value, *expected; /* NULL: it stays */
};

static void check(const char *option, struct visitor visitor, const struct returned *rows, size_t count) {
    struct host_field field;
    assert_true(host_field_init(&field, option, "127.0.0.1", 3000, "http"));
    for (size_t i = 0; i < count; i++) {
        struct arena arena;
        struct headers headers;
        arena_init(&arena, 65536);
        headers_init(&headers, &arena);
        headers_add(&headers, VIEW("server"), VIEW("http://localhost:3000"));
        headers_add(&headers, view_from_cstr(rows[i].name), view_from_cstr(rows[i].value));
        assert_true(host_field_return(&field, &visitor, &headers));
        const char *expected = rows[i].expected ? rows[i].expected : rows[i].value;
        struct view got = headers_get(&headers, view_from_cstr(rows[i].name));
        if (!view_eq(got, view_from_cstr(expected)))
            fail_msg("%s %zu: %s became %.*s", option, i, rows[i].value, VIEW_ARG(got));
        size_t bytes = 0;
        for (size_t k = 0; k < headers.count; k++)
            bytes += headers.fields[k].name.len + headers.fields[k].value.len + 4;
        assert_int_equal(bytes, headers.bytes);
        arena_done(&arena);
    }
}

#define CHECK(option, visitor, rows) check(option, visitor, rows, sizeof(rows) / sizeof((rows)[0]))

static void the_local_name_does_not_leak(void **state) {
    (void)state;
    static const struct returned rows[] = {
        {"location", "http://localhost:3000/login", "https://" PUBLIC "/login"},
        {"location", "http://LocalHost:3000", "https://" PUBLIC},
        {"location", "https://localhost:3000/?a=1#b", "https://" PUBLIC "/?a=1#b"},
        {"location", "//localhost:3000/x", "//" PUBLIC "/x"},
        {"location", "http://localhost:3000/a?next=http://localhost:3000/b",
         "https://" PUBLIC "/a?next=http://localhost:3000/b"},
        {"location", "http://" PUBLIC ":3000/dir/", "https://" PUBLIC "/dir/"},
        {"location", "/login", NULL},
        {"location", "http://localhost:3001/login", NULL},
        {"location", "http://localhost:30000/", NULL},
        {"location", "http://localhost/", NULL},
        {"location", "http://localhost:3000.evil.example/", NULL},
        {"location", "http://notlocalhost:3000/", NULL},
        {"location", "http://user@localhost:3000/", NULL},
        {"location", "ftp://localhost:3000/", NULL},
        {"location", "http://127.0.0.1:3000/", NULL},
        {"location", "http://localhost:/", NULL},
        {"location", "http://", NULL},
        {"location", "", NULL},
        {"content-location", "http://localhost:3000/x", "https://" PUBLIC "/x"},
        {"refresh", "5; url=http://localhost:3000/x?u=http://localhost:3000/",
         "5; url=https://" PUBLIC "/x?u=http://localhost:3000/"},
        {"refresh", "0;URL='http://localhost:3000/x'", "0;URL='https://" PUBLIC "/x'"},
        {"refresh", "5", NULL},
        {"link", "<http://localhost:3000/a>; rel=\"next\", </b>, <http://localhost:3000>; rel=x",
         "<https://" PUBLIC "/a>; rel=\"next\", </b>, <https://" PUBLIC ">; rel=x"},
        {"access-control-allow-origin", "http://localhost:3000", "https://" PUBLIC},
        {"access-control-allow-origin", "*", NULL},
        {"access-control-allow-origin", "http://localhost:5173", NULL},
        {"content-security-policy",
         "default-src 'self' http://localhost:3000; connect-src ws://localhost:3000 localhost:3000/api data:",
         "default-src 'self' https://" PUBLIC "; connect-src wss://" PUBLIC " " PUBLIC "/api data:"},
        {"set-cookie", "a=localhost; Domain=localhost; Path=/", "a=localhost; Domain=" PUBLIC "; Path=/"},
        {"set-cookie", "a=b;domain=.LOCALHOST", "a=b; Domain=" PUBLIC},
        {"set-cookie", "a=b; Domain=other", NULL},
        {"set-cookie", "domain=localhost; Path=/", NULL},
        {"x-other", "http://localhost:3000/", NULL},
    };
    CHECK("rewrite", ((struct visitor){VIEW(PUBLIC), VIEW("https"), {0}}), rows);
}

static void preserved_hosts(void **state) {
    (void)state;
    static const struct returned rows[] = {
        {"location", "http://demo.localhost:3000/dir/", "http://demo.localhost:8080/dir/"},
        {"location", "http://demo.localhost:8080/dir/", NULL},
        {"location", "http://localhost:3000/dir/", NULL},
        {"location", "http://demo.localhost/dir/", NULL},
        {"set-cookie", "a=b; Domain=localhost", NULL},
    };
    CHECK("preserve", ((struct visitor){VIEW("demo.localhost:8080"), VIEW("http"), {0}}), rows);
}

static void fixed_hosts(void **state) {
    (void)state;
    static const struct returned rows[] = {
        {"location", "http://app.test/login", "http://demo.localhost:8080/login"},
        {"location", "https://app.test/login", "http://demo.localhost:8080/login"},
        {"location", "http://app.test:3000/dir/", "http://demo.localhost:8080/dir/"},
        {"location", "http://app.test:81/", NULL},
        {"set-cookie", "a=b; Domain=app.test", "a=b; Domain=demo.localhost"},
    };
    CHECK("app.test", ((struct visitor){VIEW("demo.localhost:8080"), VIEW("http"), {0}}), rows);
}

/* Which is put in where the visitor is. */
static void paths_get_no_prefix(void **state) {
    (void)state;
    static const struct returned rows[] = {
        {"location", "http://localhost:3000/login", "http://localhost:8080/login"},
        {"location", "http://localhost:3000", "http://localhost:8080"},
    };
    CHECK("rewrite", ((struct visitor){VIEW("localhost:8080"), VIEW("http"), VIEW("/id")}), rows);
}

static void the_gateway_hears_of_the_services_address(void **state) {
    (void)state;
    struct visitor visitor = {VIEW("localhost:8080"), VIEW("http"), VIEW("/id")};
    struct host_field field;
    struct headers headers;
    struct arena arena;
    arena_init(&arena, 65536);
    for (int unix_socket = 0; unix_socket < 2; unix_socket++) {
        assert_true(host_field_init(&field, "preserve", "127.0.0.1", unix_socket ? 0 : 3000, "http"));
        headers_init(&headers, &arena);
        assert_true(host_field_return(&field, &visitor, &headers));
        struct view expected = unix_socket ? VIEW("") : VIEW("localhost:3000");
        assert_true(view_eq(headers_get(&headers, VIEW("x-tunnel-service")), expected));
    }
    visitor.prefix = (struct view){0};
    headers_init(&headers, &arena);
    field.service_port = 3000;
    assert_true(host_field_return(&field, &visitor, &headers));
    assert_int_equal(headers.count, 0);
    arena_done(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_host_becomes),
        cmocka_unit_test(the_request_is_of_one_piece),
        cmocka_unit_test(the_local_name_does_not_leak),
        cmocka_unit_test(preserved_hosts),
        cmocka_unit_test(fixed_hosts),
        cmocka_unit_test(paths_get_no_prefix),
        cmocka_unit_test(the_gateway_hears_of_the_services_address),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
