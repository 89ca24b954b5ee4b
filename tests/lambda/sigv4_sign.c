/* Signs what it is told, for a comparison with another signer: JSON objects on standard input (method, path,
 * query, headers as pairs, body, session_token, now_s), each Authorization field on standard output. */
#include <jansson.h>
#include <stdio.h>

#include "aws/sigv4.h"

static struct view text_of(const json_t *object, const char *key) {
    const json_t *value = json_object_get(object, key);
    return view_of(json_string_value(value), json_string_length(value));
}

static bool sign(const json_t *root) {
    struct arena arena;
    struct headers headers;
    json_t *field;
    size_t index;
    arena_init(&arena, 1 << 20);
    headers_init(&headers, &arena);
    json_array_foreach(json_object_get(root, "headers"), index, field) {
        const json_t *value = json_array_get(field, 1);
        headers_add(&headers, view_from_cstr(json_string_value(json_array_get(field, 0))),
                    view_of(json_string_value(value), json_string_length(value)));
    }
    struct sigv4_request request = {.method = text_of(root, "method"),
                                    .path = text_of(root, "path"),
                                    .query = text_of(root, "query"),
                                    .body = text_of(root, "body")};
    struct sigv4_scope scope = {VIEW("eu-west-1"), VIEW("execute-api"),
                                (uint64_t)json_integer_value(json_object_get(root, "now_s"))};
    struct aws_credentials credentials = {VIEW("AKIDEXAMPLE"), VIEW("secret/+key"),
                                          text_of(root, "session_token")};
    bool ok = sigv4_sign(&request, &scope, &credentials, &headers);
    if (ok) printf("%.*s\n", VIEW_ARG(headers_get(&headers, VIEW("authorization"))));
    arena_done(&arena);
    return ok;
}

int main(void) {
    bool ok = true;
    for (json_t *root; ok && (root = json_loadf(stdin, JSON_DISABLE_EOF_CHECK, NULL));) {
        ok = sign(root);
        json_decref(root);
    }
    return ok ? 0 : 1;
}
