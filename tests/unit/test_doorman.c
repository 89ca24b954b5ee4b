/* What an answer of the service that is asked about visitors means, what is remembered of it and by what. */
#include "base/buf.h"
#include "cmocka_setup.h"
#include "doorman/door_cache.h"
#include "doorman/door_question.h"
#include "doorman/door_word.h"
#include "doorman/doorman.h"

static const struct view told[] = {{"Remote-User", 11}, {"remote-groups", 13}};

static void read_fields(struct headers *headers, struct arena *arena, const char *lines) {
    struct view rest = view_from_cstr(lines), line;
    headers_init(headers, arena);
    while (view_split(&rest, '|', &line)) {
        size_t colon = view_find(line, ':');
        if (line.len)
            assert_true(headers_add(headers, view_slice(line, 0, colon), view_skip(line, colon + 1)));
    }
}

static struct view text_of(const struct headers *headers, struct buf *out) {
    for (size_t i = 0; i < headers->count; i++)
        buf_printf(out, "%.*s:%.*s|", VIEW_ARG(headers->fields[i].name), VIEW_ARG(headers->fields[i].value));
    return buf_view(out);
}

static void assert_fields(const struct headers *headers, const char *expected) {
    struct buf out;
    buf_init(&out, 65536);
    struct view text = text_of(headers, &out);
    if (!view_eq(text, view_from_cstr(expected))) fail_msg("%s: %.*s", expected, VIEW_ARG(text));
    buf_done(&out);
}

/* ---- words ---- */

static const struct {
    int status;
    const char *answer;
    enum door_says says;
    const char *fields, *cookies, *headers;
} words[] = {
    {200, "Remote-User:ann|Remote-Name:Ann|Date:x|", DOOR_OPEN, "remote-user:ann|", "", ""},
    {202, "REMOTE-GROUPS:a|remote-user:b|Set-Cookie:s=1|set-cookie:t=2|Location:/|", DOOR_OPEN,
     "remote-groups:a|remote-user:b|", "set-cookie:s=1|set-cookie:t=2|", ""},
    {299, "", DOOR_OPEN, "", "", ""},
    {401, "WWW-Authenticate:Basic|Remote-User:x|X-Odd:y|", DOOR_SHUT, "", "", "www-authenticate:Basic|"},
    {403, "Content-Length:5|Transfer-Encoding:x|Content-Type:text/plain|", DOOR_SHUT, "", "",
     "content-type:text/plain|"},
    {302, "Location:https://idp/|Set-Cookie:a=b|", DOOR_SHUT, "", "",
     "location:https://idp/|set-cookie:a=b|"},
    {308, "Location:/x|", DOOR_SHUT, "", "", "location:/x|"},
    {302, "", DOOR_BROKEN, "", "", ""},
    {302, "Location:|", DOOR_BROKEN, "", "", ""},
    {300, "Location:/x|", DOOR_BROKEN, "", "", ""},
    {304, "Location:/x|", DOOR_BROKEN, "", "", ""},
    {100, "", DOOR_BROKEN, "", "", ""},
    {199, "", DOOR_BROKEN, "", "", ""},
    {0, "", DOOR_BROKEN, "", "", ""},
    {400, "", DOOR_BROKEN, "", "", ""},
    {404, "", DOOR_BROKEN, "", "", ""},
    {429, "", DOOR_BROKEN, "", "", ""},
    {500, "", DOOR_BROKEN, "", "", ""},
    {200, "Remote-User:a\nb|", DOOR_BROKEN, "", "", ""},
    {200, "Odd name:x|", DOOR_BROKEN, "", "", ""},
    {401, "Location:a\x01|", DOOR_BROKEN, "", "", ""},
};

static void test_words(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        struct arena arena;
        struct headers answer;
        arena_init(&arena, 65536);
        read_fields(&answer, &arena, words[i].answer);
        struct door_word word = door_word_of(words[i].status, &answer, VIEW("body"), told, 2, &arena);
        if (word.says != words[i].says) fail_msg("%d %s: %d", words[i].status, words[i].answer, word.says);
        if (word.says != DOOR_BROKEN) {
            assert_fields(&word.fields, words[i].fields);
            assert_fields(&word.cookies, words[i].cookies);
            assert_fields(&word.headers, words[i].headers);
        }
        assert_true(view_eq(word.body, word.says == DOOR_SHUT ? VIEW("body") : VIEW("")));
        arena_done(&arena);
    }
}

static void test_words_have_bounds(void **state) {
    (void)state;
    static char large[DOOR_BODY_MAX + 1];
    struct arena arena;
    struct headers answer;
    arena_init(&arena, 1 << 20);
    headers_init(&answer, &arena);
    memset(large, 'x', sizeof(large));
    assert_int_equal(door_word_of(401, &answer, view_of(large, DOOR_BODY_MAX), told, 2, &arena).says,
                     DOOR_SHUT);
    assert_int_equal(door_word_of(401, &answer, view_of(large, sizeof(large)), told, 2, &arena).says,
                     DOOR_BROKEN);
    assert_true(headers_add(&answer, VIEW("remote-user"), view_of(large, DOOR_FIELDS_MAX)));
    assert_int_equal(door_word_of(200, &answer, VIEW(""), told, 2, &arena).says, DOOR_BROKEN);
    assert_int_equal(door_word_of(200, &answer, VIEW(""), told + 1, 1, &arena).says, DOOR_OPEN);
    arena_done(&arena);
}

/* ---- what is remembered ---- */

static void key_of(unsigned char key[DOOR_KEY_LEN], unsigned number) {
    memset(key, 0, DOOR_KEY_LEN);
    memcpy(key, &number, sizeof(number));
}

static void test_cache(void **state) {
    (void)state;
    struct door_cache cache;
    struct arena arena;
    struct headers fields, found;
    unsigned char one[DOOR_KEY_LEN], two[DOOR_KEY_LEN];
    arena_init(&arena, 65536);
    key_of(one, 1);
    key_of(two, 2);
    door_cache_init(&cache, 1000);
    headers_init(&found, &arena);
    assert_false(door_cache_get(&cache, one, 0, &found));
    read_fields(&fields, &arena, "remote-user:ann: the first|remote-groups:|");
    door_cache_put(&cache, one, 0, &fields);
    read_fields(&fields, &arena, "");
    door_cache_put(&cache, two, 500, &fields);
    assert_true(door_cache_get(&cache, one, 999, &found));
    assert_fields(&found, "remote-user:ann: the first|remote-groups:|");
    headers_init(&found, &arena);
    assert_false(door_cache_get(&cache, one, 1000, &found));
    assert_true(door_cache_get(&cache, two, 1000, &found));
    assert_fields(&found, "");
    door_cache_put(&cache, two, 1000, &fields); /* anew */
    assert_true(door_cache_get(&cache, two, 1999, &found));
    assert_int_equal(cache.entries.count, 1);
    door_cache_done(&cache);
    door_cache_init(&cache, 0);
    door_cache_put(&cache, one, 0, &fields);
    assert_false(door_cache_get(&cache, one, 0, &found));
    door_cache_done(&cache);
    arena_done(&arena);
}

static void test_the_oldest_goes_first(void **state) {
    (void)state;
    struct door_cache cache;
    struct arena arena;
    struct headers fields;
    unsigned char key[DOOR_KEY_LEN];
    arena_init(&arena, 4096);
    headers_init(&fields, &arena);
    door_cache_init(&cache, 1000);
    for (unsigned i = 0; i <= DOOR_CACHE_MAX; i++) {
        key_of(key, i);
        door_cache_put(&cache, key, 0, &fields);
    }
    assert_int_equal(cache.entries.count, DOOR_CACHE_MAX);
    assert_true(door_cache_get(&cache, key, 0, &fields));
    key_of(key, 0);
    assert_false(door_cache_get(&cache, key, 0, &fields));
    door_cache_done(&cache);
    arena_done(&arena);
}

/* ---- by what it is remembered ---- */

struct asked {
    const char *method, *scheme, *host, *target, *address, *fields;
};
static const struct asked base = {"GET", "http", "a.example", "/x", "10.0.0.1", "cookie:a=b|accept:*/*|"};

static void hash(const struct asked *asked, bool per_url, unsigned char key[DOOR_KEY_LEN]) {
    struct arena arena;
    struct headers headers;
    arena_init(&arena, 65536);
    read_fields(&headers, &arena, asked->fields);
    struct door_question question = {.method = view_from_cstr(asked->method),
                                     .scheme = view_from_cstr(asked->scheme),
                                     .host = view_from_cstr(asked->host),
                                     .target = view_from_cstr(asked->target),
                                     .address = view_from_cstr(asked->address),
                                     .headers = &headers};
    assert_true(door_question_key(&question, per_url, key));
    arena_done(&arena);
}

static const struct {
    struct asked asked;
    bool is_same, is_same_for_host;
} keys[] = {
    {{"GET", "http", "a.example", "/x", "10.0.0.1", "cookie:a=b|accept:*/*|dnt:1|"}, true, true},
    {{"POST", "http", "a.example", "/x", "10.0.0.1", "cookie:a=b|accept:*/*|"}, false, true},
    {{"GET", "http", "a.example", "/y", "10.0.0.1", "cookie:a=b|accept:*/*|"}, false, true},
    {{"GET", "http", "a.example", "/x", "10.0.0.1", "cookie:a=b|accept:text/html|"}, false, true},
    {{"GET", "https", "a.example", "/x", "10.0.0.1", "cookie:a=b|accept:*/*|"}, false, false},
    {{"GET", "http", "b.example", "/x", "10.0.0.1", "cookie:a=b|accept:*/*|"}, false, false},
    {{"GET", "http", "a.example", "/x", "10.0.0.2", "cookie:a=b|accept:*/*|"}, false, false},
    {{"GET", "http", "a.example", "/x", "10.0.0.1", "cookie:a=c|accept:*/*|"}, false, false},
    {{"GET", "http", "a.example", "/x", "10.0.0.1", "accept:*/*|"}, false, false},
    {{"GET", "http", "a.example", "/x", "10.0.0.1", "cookie:a=b|cookie:a=b|accept:*/*|"}, false, false},
    {{"GET", "http", "a.example", "/x", "10.0.0.1", "cookie:a=b|authorization:x|accept:*/*|"}, false, false},
    {{"GET", "http", "a.example", "/x", "10.0.0.1", "authorization:a=b|accept:*/*|"}, false, false},
    {{"GET", "http", "a.example1", "/x", "0.0.0.1", "cookie:a=b|accept:*/*|"}, false, false},
};

static void test_keys(void **state) {
    (void)state;
    unsigned char first[2][DOOR_KEY_LEN], key[DOOR_KEY_LEN];
    hash(&base, true, first[0]);
    hash(&base, false, first[1]);
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        hash(&keys[i].asked, true, key);
        if ((memcmp(key, first[0], DOOR_KEY_LEN) == 0) != keys[i].is_same) fail_msg("row %zu, by URL", i);
        hash(&keys[i].asked, false, key);
        if ((memcmp(key, first[1], DOOR_KEY_LEN) == 0) != keys[i].is_same_for_host)
            fail_msg("row %zu, by host", i);
    }
}

static void test_fields_of_a_question(void **state) {
    (void)state;
    struct arena arena;
    struct headers given, made;
    arena_init(&arena, 65536);
    read_fields(&given, &arena, "cookie:a=b|x-forwarded-for:1, 2|accept:*/*|range:bytes=1-|cookie:c=d|");
    headers_init(&made, &arena);
    struct door_question question = {VIEW("PUT"),  VIEW("https"),    VIEW("a.example:8080"),
                                     VIEW("/x?y"), VIEW("10.0.0.1"), &given};
    assert_true(door_question_fields(&question, &made));
    assert_fields(&made, "x-forwarded-method:PUT|x-forwarded-proto:https|x-forwarded-host:a.example:8080|"
                         "x-forwarded-uri:/x?y|x-forwarded-for:10.0.0.1|"
                         "x-original-url:https://a.example:8080/x?y|cookie:a=b|cookie:c=d|accept:*/*|");
    arena_done(&arena);
}

/* ---- settings ---- */

static void test_urls(void **state) {
    (void)state;
    static const char *const good[] = {"http://a/", "https://a.example:9091/api/authz/forward-auth",
                                       "http://[::1]:4180/oauth2/auth?allowed_groups=a,b",
                                       "http://127.0.0.1"};
    static const char *const bad[] = {
        "",           "a",           "ftp://a/",   "http://",       "http:///a",
        "http://:80", "http://u@a/", "http://a#b", "http://a/\x01", "http://a/\\b"};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_null(door_url_fault(view_from_cstr(good[i])));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_non_null(door_url_fault(view_from_cstr(bad[i])));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words), cmocka_unit_test(test_words_have_bounds),
        cmocka_unit_test(test_cache), cmocka_unit_test(test_the_oldest_goes_first),
        cmocka_unit_test(test_keys),  cmocka_unit_test(test_fields_of_a_question),
        cmocka_unit_test(test_urls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
