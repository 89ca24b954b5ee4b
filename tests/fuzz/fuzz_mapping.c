/* libFuzzer target: the filter of DynamoDB's stream. The first line is a pattern, the rest a record; what is
 * understood says yes or no, and an empty pattern lets everything through. */
#include "apigw/mapping_filter.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct view rest = view_of(data, size), line = take_line(&rest);
    json_t *pattern = json_loadb(line.len ? line.ptr : "", line.len, JSON_ALLOW_NUL, NULL);
    json_t *record = rest.len ? json_loadb(rest.ptr, rest.len, JSON_ALLOW_NUL, NULL) : json_object();
    json_t *empty = json_object();
    if (pattern) {
        const char *problem = mapping_filter_problem(pattern);
        require(!problem || problem[0]);
        if (!problem && record) mapping_filter_matches(pattern, record);
    }
    require(!mapping_filter_problem(empty));
    if (json_is_object(record)) require(mapping_filter_matches(empty, record));
    json_decref(empty);
    json_decref(pattern);
    json_decref(record);
    return 0;
}
