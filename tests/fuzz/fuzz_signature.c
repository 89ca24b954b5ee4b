/* libFuzzer target: AWS signatures as the stand-in for API Gateway checks them. After byte 0 come lines:
 * method, path, query, then fields ("name: value"), an empty one, and the body. Odd: the request is rightly
 * signed with these, must be taken, and not with a byte of the body changed. Even: the fields have what they
 * have, and nobody guesses a signature. */
#include "apigw/signature.h"
#include "fuzz.h"
#include "http/chars.h"

#define NOW_S 1440938160

static const struct signature_rules rules = {
    .credentials = {VIEW("AKIDEXAMPLE"), VIEW("a secret of the fuzz target"), VIEW("token")},
    .region = VIEW("eu-west-1"),
    .service = VIEW("execute-api"),
};

static void read_fields(struct view *rest, struct headers *headers) {
    while (rest->len) {
        struct view line = take_line(rest);
        size_t colon = view_find(line, ':');
        if (line.len == 0) return;
        headers_add(headers, view_slice(line, 0, colon), view_trim(view_skip(line, colon + 1)));
    }
}

/* Is it taken? If not, it is said why. */
static bool check(const struct sigv4_request *request, const struct headers *headers, struct arena *arena) {
    struct signature_verdict verdict = signature_check(&rules, request, headers, NOW_S, arena);
    require(!verdict.type || verdict.message.ptr);
    return !verdict.type;
}

/* What our own signer writes over. */
static bool is_written(void *ctx, const struct header *field) {
    (void)ctx;
    return view_eq(field->name, VIEW("authorization")) || view_eq(field->name, VIEW("host")) ||
           view_eq(field->name, VIEW("x-amz-date")) || view_eq(field->name, VIEW("x-amz-security-token")) ||
           !http_is_token(field->name) || !http_is_field_value(field->value); /* the gate refuses that */
}

static void sign_and_break(struct sigv4_request *request, struct headers *headers, struct arena *arena) {
    const struct sigv4_scope scope = {rules.region, rules.service, NOW_S};
    headers_remove_if(headers, is_written, NULL);
    headers_add(headers, VIEW("host"), VIEW("api"));
    if (!sigv4_sign(request, &scope, &rules.credentials, headers)) return;
    require(check(request, headers, arena));
    request->body = request->body.len ? view_skip(request->body, 1) : VIEW("more");
    require(!check(request, headers, arena));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0) return 0;
    char *copy = exact_copy(view_of(data + 1, size - 1));
    struct view rest = view_of(copy, size - 1);
    struct arena arena;
    struct headers headers;
    arena_init(&arena, (size_t)4 * 1024 * 1024);
    headers_init(&headers, &arena);
    struct sigv4_request request = {
        .method = take_line(&rest), .path = take_line(&rest), .query = take_line(&rest)};
    read_fields(&rest, &headers);
    request.body = rest;
    if (data[0] % 2)
        sign_and_break(&request, &headers, &arena);
    else
        require(!check(&request, &headers, &arena));
    arena_done(&arena);
    free(copy);
    return 0;
}
