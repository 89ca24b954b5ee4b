#include "doorman/door_word.h"

#include "http/gate.h"

#define NAME(text)                                                                                           \
    { text, sizeof(text) - 1 }

/* Those of a refusal that make sense on the visitor's side. */
static const struct view told[] = {NAME("location"),
                                   NAME("set-cookie"),
                                   NAME("www-authenticate"),
                                   NAME("content-type"),
                                   NAME("content-language"),
                                   NAME("content-encoding"),
                                   NAME("content-security-policy"),
                                   NAME("referrer-policy"),
                                   NAME("retry-after")};

static bool is_one_of(struct view name, const struct view *names, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (view_eq_nocase(name, names[i])) return true;
    return false;
}

static bool copy(struct headers *to, const struct headers *from, const struct view *names, size_t count) {
    for (size_t i = 0; i < from->count; i++) {
        const struct header *field = &from->fields[i];
        if (is_one_of(field->name, names, count) && !headers_add(to, field->name, field->value)) return false;
    }
    return to->bytes <= DOOR_FIELDS_MAX;
}

static bool is_redirect(int status, const struct headers *headers) {
    bool leads = status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
    return leads && headers_get(headers, VIEW("location")).len > 0;
}

struct door_word door_word_of(int status, const struct headers *headers, struct view body,
                              const struct view *fields, size_t fields_count, struct arena *arena) {
    static const struct view cookie = NAME("set-cookie");
    struct door_word word = {.says = DOOR_BROKEN};
    headers_init(&word.fields, arena);
    headers_init(&word.cookies, arena);
    headers_init(&word.headers, arena);
    if (!gate_check_fields(headers) || body.len > DOOR_BODY_MAX) return word;
    if (status >= 200 && status <= 299) {
        bool ok =
            copy(&word.fields, headers, fields, fields_count) && copy(&word.cookies, headers, &cookie, 1);
        word.says = ok ? DOOR_OPEN : DOOR_BROKEN;
    } else if (status == 401 || status == 403 || is_redirect(status, headers)) {
        bool ok = copy(&word.headers, headers, told, sizeof(told) / sizeof(told[0]));
        word.says = ok ? DOOR_SHUT : DOOR_BROKEN;
        word.status = status;
        word.body = body;
    }
    return word;
}
