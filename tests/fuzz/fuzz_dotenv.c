/* libFuzzer target: a project's .env. Its first line is a name, the rest is read twice, in two parts and as a
 * whole; what is found is a text of the file's own bytes. */
#include "dotenv.h"
#include "fuzz.h"

static char *value_of(const char *name, struct view one, struct view other) {
    struct dotenv dotenv;
    char *copy = exact_copy(one), *rest = exact_copy(other), *value = NULL;
    dotenv_init(&dotenv);
    require(dotenv_parse(&dotenv, view_of(copy, one.len)));
    require(dotenv_parse(&dotenv, view_of(rest, other.len)));
    free(copy);
    free(rest);
    const char *found = dotenv_get(&dotenv, name);
    if (found) require(strlen(found) <= one.len + other.len);
    if (found) require((value = strdup(found)) != NULL);
    dotenv_done(&dotenv);
    return value;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct view rest = view_of(data, size), line = take_line(&rest);
    char name[64];
    if (!rest.ptr || !view_copy_to(line, name, sizeof(name))) return 0;
    size_t half = view_find_last(view_slice(rest, 0, rest.len / 2), '\n');
    bool is_cut = half < rest.len / 2;
    if (view_starts_with(view_skip(rest, half + is_cut), VIEW("\xef\xbb\xbf")))
        return 0; /* a file's first bytes */
    char *whole = value_of(name, rest, VIEW(""));
    char *parts = value_of(name, view_slice(rest, 0, half), view_skip(rest, half + is_cut));
    require(!is_cut || (whole ? parts && strcmp(whole, parts) == 0 : !parts));
    free(whole);
    free(parts);
    return 0;
}
