/* What tests of the core begin with: its ports with the memory store, and the settings of a gateway of
 * localhost. */
#ifndef TEST_CORE_SETUP_H
#define TEST_CORE_SETUP_H

#include "base/ids.h"
#include "handler/core.h"
#include "store/store_memory.h"

static inline struct ports memory_ports(struct store_memory *store, const struct agents *agents,
                                        const struct clock *clock) {
    return (struct ports){.registry = store_memory_registry(store),
                          .mailbox = store_memory_mailbox(store),
                          .agents = *agents,
                          .clock = *clock,
                          .ids = {.tunnel = ids_tunnel, .random = ids_random}};
}

static inline void settings_of_localhost(struct core_settings *settings) {
    core_settings_init(settings);
    settings->public_url = VIEW("http://localhost:8080");
    settings->resume_secret = VIEW("0123456789abcdef0123456789abcdef");
}

#endif
