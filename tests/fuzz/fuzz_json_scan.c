/* libFuzzer target: JSON looked at before it is parsed. What is JSON is found as the parser finds it. */
#include <jansson.h>
#include <stdlib.h>

#include "fuzz.h"
#include "protocol/json_scan.h"

/* "\/" is left in it. */
static void require_same(struct view found, const json_t *value) {
    const char *text = json_string_value(value);
    size_t len = json_string_length(value), at = 0;
    for (size_t i = 0; i < found.len; i++) {
        if (found.ptr[i] == '\\') require(++i < found.len && found.ptr[i] == '/');
        require(at < len && text[at++] == found.ptr[i]);
    }
    require(at == len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct view found;
    char *copy = exact_copy(view_of(data, size));
    bool is_modest = json_scan(view_of(copy, size), VIEW("body"), &found);
    json_t *document = json_loadb(copy, size, JSON_REJECT_DUPLICATES, NULL);
    require(!found.ptr || (found.ptr >= copy && found.ptr + found.len <= copy + size));
    if (document && json_is_object(document) && found.ptr)
        require_same(found, json_object_get(document, "body"));
    require(is_modest || size > JSON_DEPTH_MAX);
    json_decref(document);
    free(copy);
    return 0;
}
