/* Signatures of AWS's published test suite ("Signature Version 4 test suite"; tests/golden/sigv4.json holds
 * request and expected signature), all but those that normalise a path first. */
#include <jansson.h>
#include <stdio.h>

#include "aws/sigv4.h"
#include "cmocka_setup.h"

static struct view text_of(const json_t *object, const char *key) {
    const json_t *value = json_object_get(object, key);
    return view_of(json_string_value(value), json_string_length(value));
}

static void check_vector(const json_t *vector) {
    struct arena arena;
    struct headers headers;
    arena_init(&arena, 65536);
    headers_init(&headers, &arena);
    size_t index;
    json_t *field;
    json_array_foreach(json_object_get(vector, "headers"), index, field) {
        const json_t *value = json_array_get(field, 1);
        assert_true(headers_add(&headers, view_from_cstr(json_string_value(json_array_get(field, 0))),
                                view_of(json_string_value(value), json_string_length(value))));
    }
    struct sigv4_request request = {.method = text_of(vector, "method"),
                                    .path = text_of(vector, "path"),
                                    .query = text_of(vector, "query"),
                                    .body = text_of(vector, "body")};
    struct sigv4_scope scope = {VIEW("us-east-1"), VIEW("service"), 1440938160};
    struct aws_credentials credentials = {VIEW("AKIDEXAMPLE"),
                                          VIEW("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
                                          text_of(vector, "session_token")};
    assert_true(sigv4_sign(&request, &scope, &credentials, &headers));
    struct view authorization = headers_get(&headers, VIEW("authorization"));
    struct view expected = text_of(vector, "signature");
    if (!view_ends_with(authorization, expected))
        fail_msg("%.*s: got %.*s, expected %.*s", VIEW_ARG(text_of(vector, "name")), VIEW_ARG(authorization),
                 VIEW_ARG(expected));
    arena_done(&arena);
}

static void the_published_signatures_come_out(void **state) {
    (void)state;
    json_error_t error;
    json_t *vectors = json_load_file(TEST_DATA "/golden/sigv4.json", 0, &error);
    assert_non_null(vectors);
    assert_true(json_array_size(vectors) >= 30);
    size_t index;
    json_t *vector;
    json_array_foreach(vectors, index, vector) check_vector(vector);
    json_decref(vectors);
}

static void too_many_headers_or_parameters_are_refused(void **state) {
    (void)state;
    struct arena arena;
    struct headers headers;
    arena_init(&arena, 65536);
    headers_init(&headers, &arena);
    for (int i = 0; i < 70; i++) assert_true(headers_add(&headers, VIEW("a"), VIEW("b")));
    struct sigv4_request request = {.method = VIEW("GET"), .path = VIEW("/")};
    struct sigv4_scope scope = {VIEW("r"), VIEW("s"), 0};
    struct aws_credentials credentials = {VIEW("k"), VIEW("s"), {0}};
    assert_false(sigv4_sign(&request, &scope, &credentials, &headers));
    headers_init(&headers, &arena);
    char query[200];
    memset(query, '&', sizeof(query));
    for (size_t i = 0; i < sizeof(query); i += 2) query[i] = 'a';
    request.query = view_of(query, sizeof(query));
    assert_false(sigv4_sign(&request, &scope, &credentials, &headers));
    arena_done(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_published_signatures_come_out),
        cmocka_unit_test(too_many_headers_or_parameters_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
