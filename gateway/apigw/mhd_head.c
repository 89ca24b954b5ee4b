/* See mhd_head.h. In 0.9 names and values point into the bytes that were read, where each CR, LF and colon
 * has become a NUL: what the library gives us must follow one after the other without a gap. */
#include "apigw/mhd_head.h"

#include <string.h>

#if MHD_VERSION >= 0x01000000

bool mhd_head_is_strict(struct MHD_Connection *connection, const char *method, const char *version) {
    (void)connection, (void)method, (void)version;
    return true;
}

#else

#define LINE_END 2 /* CR, LF */

struct walk {
    const char *next; /* where the next field has to begin */
    bool is_strict;
};

static enum MHD_Result walk_field(void *ctx, enum MHD_ValueKind kind, const char *name, size_t name_len,
                                  const char *value, size_t value_len) {
    (void)kind;
    struct walk *walk = ctx;
    walk->is_strict = walk->is_strict && name == walk->next && value && value > name + name_len;
    for (const char *blank = name + name_len + 1; walk->is_strict && blank < value; blank++)
        walk->is_strict = *blank == ' ' || *blank == '\t';
    walk->next = value + value_len + LINE_END;
    return walk->is_strict ? MHD_YES : MHD_NO;
}

bool mhd_head_is_strict(struct MHD_Connection *connection, const char *method, const char *version) {
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    if (!info) return false;
    const char *end = method + info->header_size;
    struct walk walk = {.next = version + strlen(version) + LINE_END, .is_strict = true};
    MHD_get_connection_values_n(connection, MHD_HEADER_KIND, walk_field, &walk);
    return walk.is_strict && walk.next + LINE_END == end;
}

#endif
