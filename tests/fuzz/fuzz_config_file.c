/* libFuzzer target: the config file. Whatever is in it, entries come in the order of their lines, hold no
 * control characters, and what is refused is refused with a reason and a line of the file. */
#include "fuzz.h"
#include "yaml/config_file.h"

struct walk {
    size_t entries;
    unsigned line;
    bool sections; /* are allowed */
};

static bool take(void *ctx, const struct config_entry *entry, struct config_problem *problem) {
    struct walk *walk = ctx;
    (void)problem;
    require(entry->line > 0 && entry->line >= walk->line);
    for (size_t i = 0; i < entry->value.len; i++) require((unsigned char)entry->value.ptr[i] >= 0x20);
    for (size_t i = 0; i < entry->name.len; i++) require((unsigned char)entry->name.ptr[i] >= 0x20);
    require(walk->sections || (!entry->is_section && !entry->sections[0].ptr));
    require(entry->sections[0].ptr || !entry->sections[1].ptr);
    walk->line = entry->line;
    walk->entries++;
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct walk walk = {0};
    struct config_problem problem;
    struct view input = view_of(data, size);
    char *copy = exact_copy(input);
    bool good = config_file_parse(view_of(copy, size), take, &walk, &problem);
    require(good || problem.text[0]);
    require(good || problem.line <= size + 1);
    require(walk.entries <= size);
    walk = (struct walk){.sections = true};
    bool good_nested =
        config_file_parse_sections(view_of(copy, size), CONFIG_SECTIONS_MAX, take, &walk, &problem);
    require(good_nested || (!good && problem.text[0]));
    free(copy);
    return 0;
}
