/* libFuzzer target: the description of a deployment. Entries have names and places, hold no control
 * characters, and what is refused is refused with a reason. */
#include "apigw/description.h"
#include "fuzz.h"

static bool take(void *ctx, const struct description_entry *entry, struct config_problem *problem) {
    size_t *entries = ctx;
    (void)problem;
    require(entry->name[0] && entry->place[0]);
    for (size_t i = 0; i < entry->value.len; i++) require((unsigned char)entry->value.ptr[i] >= 0x20);
    ++*entries;
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct config_problem problem;
    size_t entries = 0;
    char *copy = exact_copy(view_of(data, size));
    bool good = description_parse(view_of(copy, size), take, &entries, &problem);
    require(good || problem.text[0]);
    require(!good || entries > 0);
    require(entries <= size);
    free(copy);
    return 0;
}
