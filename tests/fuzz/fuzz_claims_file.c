/* libFuzzer target: the claims that another process hands over. What is read is a store; what that writes is
 * read again as the same number of claims. */
#include "base/buf.h"
#include "fuzz.h"
#include "store/claim_record.h"
#include "store/claims_file.h"

static uint64_t at_zero(void *ctx) {
    (void)ctx;
    return 0;
}

static const struct claims_keep keep = {.now_ms = 1, .anonymous_ms = 1000, .owned_ms = 1000};

static void look(void *ctx, const struct claim *claim, struct view options) {
    (void)options;
    require(claim->member.state == CLAIM_OFFLINE && claim->tunnel_id[0]);
    ++*(size_t *)ctx;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct tasks tasks;
    struct buf text;
    size_t live = 0;
    tasks_init(&tasks, NULL, NULL);
    struct store_memory *one = store_memory_new(&tasks, at_zero, NULL);
    struct store_memory *two = store_memory_new(&tasks, at_zero, NULL);
    char *copy = exact_copy(view_of(data, size));
    size_t count = claims_file_read(view_of(copy, size), one, &keep);
    free(copy);
    store_memory_each(one, look, &live);
    require(live <= count);
    buf_init(&text, 16 * 1024 * 1024);
    require(claims_file_write(&text, one));
    require(claims_file_read(buf_view(&text), two, &keep) == live);
    buf_done(&text);
    store_memory_free(one);
    store_memory_free(two);
    return 0;
}
