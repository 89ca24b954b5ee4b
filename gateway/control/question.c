/* See question.h. */
#include "control/question.h"

#include <jansson.h>

#define VERSION "1"

static bool is_line(struct view text) {
    return !text.len || (!memchr(text.ptr, '\n', text.len) && !memchr(text.ptr, '\0', text.len));
}

static bool is_sound(const struct question *question) {
    return strchr("tbkgd", (char)question->verb) && question->verb && question->limit <= QUESTION_LIMIT_MAX &&
           question->name.len <= TUNNEL_NAME_MAX && question->owner.len <= OWNER_MAX &&
           is_line(question->name) && is_line(question->owner) &&
           (question->verb != QUESTION_KICK || question->name.len || question->owner.len);
}

bool question_encode(struct buf *out, const struct question *question) {
    return is_sound(question) && buf_printf(out, VERSION "\n%c\n%llu\n%zu\n%.*s\n%.*s", (char)question->verb,
                                            (unsigned long long)question->after, question->limit,
                                            VIEW_ARG(question->name), VIEW_ARG(question->owner));
}

bool question_parse(struct view text, struct question *ret_question) {
    struct view version, verb, after, limit_text;
    uint64_t limit;
    *ret_question = (struct question){.verb = 0};
    if (!view_split(&text, '\n', &version) || !view_split(&text, '\n', &verb) ||
        !view_split(&text, '\n', &after) || !view_split(&text, '\n', &limit_text) ||
        !view_split(&text, '\n', &ret_question->name) || !text.ptr)
        return false;
    ret_question->owner = text;
    if (!view_eq(version, VIEW(VERSION)) || verb.len != 1 || !view_parse_u64(after, &ret_question->after) ||
        !view_parse_u64(limit_text, &limit) || limit > QUESTION_LIMIT_MAX)
        return false;
    ret_question->verb = (enum question_verb)verb.ptr[0];
    ret_question->limit = (size_t)limit;
    return is_sound(ret_question);
}

bool answer_text_encode(struct buf *out, const struct answer_text *answer) {
    return buf_printf(out, "%llu\n%zu\n", (unsigned long long)answer->next, answer->count) &&
           buf_append_view(out, answer->rows);
}

/* As many values as it says, and nothing else. */
static bool are_rows(struct view rows, size_t count) {
    struct buf text;
    buf_init(&text, rows.len + 2);
    json_t *array = NULL;
    if (buf_append_byte(&text, '[') && buf_append_view(&text, rows) && buf_append_byte(&text, ']'))
        array = json_loadb(buf_view(&text).ptr, text.len, 0, NULL);
    bool are = json_is_array(array) && json_array_size(array) == count;
    json_decref(array);
    buf_done(&text);
    return are;
}

bool answer_text_parse(struct view text, struct answer_text *ret_answer) {
    struct view next, count_text;
    uint64_t count;
    if (!view_split(&text, '\n', &next) || !view_split(&text, '\n', &count_text) || !text.ptr) return false;
    if (!view_parse_u64(next, &ret_answer->next) || !view_parse_u64(count_text, &count)) return false;
    ret_answer->count = (size_t)count;
    ret_answer->rows = text;
    /* of what was kicked there are no rows */
    return !text.len || (count <= QUESTION_LIMIT_MAX && are_rows(text, ret_answer->count));
}
