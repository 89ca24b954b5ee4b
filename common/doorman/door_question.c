#include "doorman/door_question.h"

#include <openssl/evp.h>

#include "base/buf.h"

#define KEYED_MAX ((size_t)512 * 1024)
#define NAME(text)                                                                                           \
    { text, sizeof(text) - 1 }

/* Of the visitor's own: by what he proves who he is, and what kind of answer he takes. */
static const struct view proofs[] = {NAME("cookie"), NAME("authorization")};
static const struct view wishes[] = {NAME("accept"), NAME("accept-language"), NAME("user-agent"),
                                     NAME("x-requested-with")};
#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

static bool copy(struct headers *to, const struct headers *from, const struct view *names, size_t count) {
    for (size_t i = 0; i < from->count; i++)
        for (size_t k = 0; k < count; k++)
            if (view_eq(from->fields[i].name, names[k]) && !headers_add(to, names[k], from->fields[i].value))
                return false;
    return true;
}

bool door_question_fields(const struct door_question *question, struct headers *headers) {
    struct view url = arena_printf(headers->arena, "%.*s://%.*s%.*s", VIEW_ARG(question->scheme),
                                   VIEW_ARG(question->host), VIEW_ARG(question->target));
    return url.ptr && headers_add(headers, VIEW("x-forwarded-method"), question->method) &&
           headers_add(headers, VIEW("x-forwarded-proto"), question->scheme) &&
           headers_add(headers, VIEW("x-forwarded-host"), question->host) &&
           headers_add(headers, VIEW("x-forwarded-uri"), question->target) &&
           headers_add(headers, VIEW("x-forwarded-for"), question->address) &&
           headers_add(headers, VIEW("x-original-url"), url) &&
           copy(headers, question->headers, proofs, COUNT(proofs)) &&
           copy(headers, question->headers, wishes, COUNT(wishes));
}

/* With its length, so that no two lists of parts look alike. */
static void put(struct buf *out, struct view part) {
    buf_printf(out, "%zu:", part.len);
    buf_append_view(out, part);
}

static void put_fields(struct buf *out, const struct headers *headers, const struct view *names,
                       size_t count) {
    for (size_t i = 0; i < headers->count; i++)
        for (size_t k = 0; k < count; k++)
            if (view_eq(headers->fields[i].name, names[k])) {
                put(out, names[k]);
                put(out, headers->fields[i].value);
            }
}

bool door_question_key(const struct door_question *question, bool per_url, unsigned char key[DOOR_KEY_LEN]) {
    struct buf text;
    buf_init(&text, KEYED_MAX);
    put(&text, question->scheme);
    put(&text, question->host);
    put(&text, question->address);
    if (per_url) {
        put(&text, question->method);
        put(&text, question->target);
        put_fields(&text, question->headers, wishes, COUNT(wishes));
    }
    put_fields(&text, question->headers, proofs, COUNT(proofs));
    struct view all = buf_view(&text);
    bool ok = !text.failed && EVP_Digest(all.ptr, all.len, key, NULL, EVP_sha256(), NULL) == 1;
    buf_done(&text);
    return ok;
}
