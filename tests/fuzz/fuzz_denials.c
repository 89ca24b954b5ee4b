/* libFuzzer target: entries of who is kept out, as they stand in a file or in Redis (control/denial_file.h,
 * control/denial_list.h). What is understood can be written, and is read again as the same number. */
#include "control/denial_file.h"
#include "fuzz.h"

static uint64_t at_one(void *ctx) {
    (void)ctx;
    return 1;
}

#define TEN "0123456789"
#define LONG_OWNER                                                                                           \
    TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN  \
        TEN TEN TEN TEN

static void ask(struct denial_list *list) {
    const struct applicant applicant = {
        .tunnel_id = VIEW("shop"), .owner = VIEW("sub:alice"), .token_id = VIEW("j"), .token_issued_s = 1};
    const struct applicant other = {.tunnel_id = VIEW("x"), .owner = VIEW(LONG_OWNER), .token_id = VIEW("j")};
    const struct denials port = denial_list_port(list);
    const char *why = denial_list_why(list, &applicant);
    require(!why || strlen(why) < 200);
    why = port.why(port.ctx, &other);
    require(!why || strlen(why) < 200);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct denial_list one, two;
    char *copy = exact_copy(view_of(data, size));
    struct view text = view_of(copy, size), key;
    size_t len;
    denial_list_init(&one, at_one, NULL);
    denial_list_init(&two, at_one, NULL);
    if (!denial_file_read(text, &one) && view_split(&text, '=', &key)) denial_list_put(&one, key, text);
    free(copy);
    ask(&one);
    require(!denial_file_read((struct view){0}, &two));
    char *written = denial_file_text(&one, &len);
    require(written && denial_file_read(view_of(written, len), &two));
    require(two.table.count == one.table.count);
    free(written);
    while (!list_empty(&one.all)) {
        const struct denial *first = LIST_ENTRY(one.all.next, struct denial, all);
        char gone[DENIAL_KEY_MAX + 1];
        strcpy(gone, first->key);
        require(denial_list_drop(&one, view_from_cstr(gone)) &&
                !denial_list_drop(&one, view_from_cstr(gone)));
    }
    denial_list_done(&one);
    denial_list_done(&two);
    return 0;
}
