/* The store of one process: registry and mailbox in memory, on the gateway's loop. What it promises is what
 * tests/conformance says of every store. A restart forgets all of it; resume tokens bring the tunnels back.
 */
#ifndef STORE_STORE_MEMORY_H
#define STORE_STORE_MEMORY_H

#include "handler/ports.h"

struct store_memory;

/* NULL without memory. `tasks` outlives it. */
struct store_memory *store_memory_new(struct tasks *tasks, uint64_t (*wall_ms)(void *ctx), void *wall_ctx);
/* Completions that are still owed are dropped. */
void store_memory_free(struct store_memory *store);

struct registry store_memory_registry(struct store_memory *store);
struct mailbox store_memory_mailbox(struct store_memory *store);
/* Who hears of changes; at most one. */
void store_memory_listen(struct store_memory *store, struct store_events events);

/* Each claim that has not expired, in any order. */
typedef void store_memory_claim_fn(void *ctx, const struct claim *claim, struct view options);
void store_memory_each(const struct store_memory *store, store_memory_claim_fn *fn, void *ctx);
/* The same a part at a time: as many as `limit` or a few more; `from` is 0, then what is returned; 0: that
 * was all. */
uint64_t store_memory_page(const struct store_memory *store, uint64_t from, size_t limit,
                           store_memory_claim_fn *fn, void *ctx);
/* As it stood in another process; nobody is told. False when that tunnel has a claim, or without memory. */
bool store_memory_restore(struct store_memory *store, const struct claim *claim, struct view options);

/* What it holds now, for tests and figures. */
size_t store_memory_claims(const struct store_memory *store);
size_t store_memory_connections(const struct store_memory *store);
size_t store_memory_pending(const struct store_memory *store);

#endif
