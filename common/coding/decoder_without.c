/* decoder.h of a program that was built where the libraries of these codings are not: none can be had. */
#include "coding/decoder.h"

struct decoder *decoder_new(enum coding coding, struct coding_memory *memory) {
    (void)coding, (void)memory;
    return NULL;
}

void decoder_free(struct decoder *decoder) {
    (void)decoder;
}

bool decoder_read(struct decoder *decoder, struct view *rest, char *out, size_t room, size_t *ret_len) {
    (void)decoder, (void)rest, (void)out, (void)room;
    *ret_len = 0;
    return false;
}

bool decoder_is_whole(const struct decoder *decoder) {
    (void)decoder;
    return false;
}

const char *decoder_libraries(void) {
    return NULL;
}
