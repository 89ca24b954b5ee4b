/* libFuzzer target: what gateways ask each other, and what they answer (control/question.h). A question that
 * is understood can be asked again, and is the same one. */
#include "base/buf.h"
#include "control/question.h"
#include "fuzz.h"

static void read_question(struct view text) {
    struct question question, again;
    struct buf out;
    if (!question_parse(text, &question)) return;
    require(question.limit <= QUESTION_LIMIT_MAX && question.name.len <= TUNNEL_NAME_MAX);
    buf_init(&out, 4096);
    require(question_encode(&out, &question) && question_parse(buf_view(&out), &again));
    require(again.verb == question.verb && again.after == question.after && again.limit == question.limit);
    require(view_eq(again.name, question.name) && view_eq(again.owner, question.owner));
    buf_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char *copy = exact_copy(view_of(data, size));
    struct answer_text answer;
    read_question(view_of(copy, size));
    if (answer_text_parse(view_of(copy, size), &answer) && answer.rows.len)
        require(answer.count <= QUESTION_LIMIT_MAX);
    free(copy);
    return 0;
}
