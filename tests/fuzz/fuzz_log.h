/* For targets of what logs: nobody reads it, and writing it takes time. */
#ifndef FUZZ_LOG_H
#define FUZZ_LOG_H

#include "base/log.h"
#include "fuzz.h"

static inline void fuzz_discard(void *ctx, enum log_level level, const char *component, struct view line) {
    (void)ctx, (void)level, (void)component;
    for (size_t i = 0; i < line.len; i++) require((unsigned char)line.ptr[i] >= 0x20); /* of one line */
}

static inline void fuzz_hush(void) {
    log_set_sink(fuzz_discard, NULL);
}

#endif
