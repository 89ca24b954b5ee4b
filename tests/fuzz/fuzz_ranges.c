/* libFuzzer target: which part of a file is asked for (RFC 9110 13 and 14). Lines are the fields of
 * conditions, in their order; the first byte is the file's size. Never more than the file is promised. */
#include "folder/validators.h"
#include "fuzz.h"

static char *field(struct view *rest) {
    struct view line = take_line(rest);
    return line.len ? view_to_cstr(line) : NULL;
}

static void check(const struct portion *portion, uint64_t size) {
    switch (portion->status) {
    case 200: require(portion->first == 0 && portion->count == size); break;
    case 206:
        require(portion->count > 0 && portion->first < size && portion->count <= size - portion->first);
        break;
    case 304:
    case 412:
    case 416: break;
    default: require(false);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct stat file = {.st_mtime = 1700000000, .st_ino = 7};
    struct validators validators;
    if (size == 0) return 0;
    uint64_t bytes = data[0] < 250 ? data[0] : UINT64_C(1) << (data[0] - 192);
    file.st_size = (off_t)(bytes & INT64_MAX);
    validators_of(&file, &validators);
    struct view rest = view_of(data + 1, size - 1);
    char *fields[6];
    for (size_t i = 0; i < 6; i++) fields[i] = field(&rest);
    const struct conditions conditions = {fields[0], fields[1], fields[2], fields[3], fields[4], fields[5]};
    struct portion portion = validators_choose(&validators, bytes, &conditions, 1700000100);
    check(&portion, bytes);
    if (!fields[5]) require(portion.status != 206 && portion.status != 416);
    for (size_t i = 0; i < 6; i++) free(fields[i]);
    return 0;
}
