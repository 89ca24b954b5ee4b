/* A stream's send queue: a chain of blocks, so that bytes are copied in once and out once, whatever is
 * queued. A session keeps a few small blocks, which is all that small bodies ever need. */
#include <stdlib.h>

#include "link/link_state.h"

#define SMALL_BLOCK ((size_t)4096 - sizeof(struct block) - 16)
#define LARGE_BLOCK ((size_t)64 * 1024)
#define SPARE_BLOCKS 64

/* Of what may be thousands of links, most carry a few control lines and then nothing: these get blocks that
 * just fit. */
static size_t block_cap(const struct link_session *session, size_t len) {
    if (len <= SMALL_BLOCK && session->live_count > 0) return SMALL_BLOCK;
    return len < LARGE_BLOCK ? len : LARGE_BLOCK;
}

static struct block *block_new(struct link_session *session, size_t len) {
    struct block *block;
    size_t cap = block_cap(session, len);
    block = cap == SMALL_BLOCK ? spares_take(&session->spare_blocks) : malloc(sizeof(*block) + cap);
    if (!block) return NULL;
    block->cap = (uint32_t)cap;
    block->next = NULL;
    block->start = block->end = 0;
    return block;
}

static void block_free(struct link_session *session, struct block *block) {
    if (block->cap == SMALL_BLOCK)
        spares_give(&session->spare_blocks, block);
    else
        free(block);
}

void blocks_init(struct link_session *session) {
    session->spare_blocks = (struct spares){.size = sizeof(struct block) + SMALL_BLOCK, .most = SPARE_BLOCKS};
}

static size_t block_fill(struct block *block, struct view data) {
    size_t room = block->cap - block->end;
    size_t len = data.len < room ? data.len : room;
    if (len) memcpy(block->bytes + block->end, data.ptr, len);
    block->end += (uint32_t)len;
    return len;
}

/* Blocks for `data`, chained; NULL without memory. */
static struct block *chain_new(struct link_session *session, struct view data, struct block **ret_last) {
    struct block *first = NULL, **link = &first;
    while (data.len) {
        struct block *block = block_new(session, data.len);
        if (!block) {
            struct queue failed = {.first = first};
            queue_clear(session, &failed);
            return NULL;
        }
        data = view_skip(data, block_fill(block, data));
        *link = block;
        link = &block->next;
        *ret_last = block;
    }
    return first;
}

bool queue_append(struct link_session *session, struct queue *queue, struct view data) {
    if (data.len == 0) return true;
    size_t room = queue->last ? queue->last->cap - queue->last->end : 0;
    struct view head = view_slice(data, 0, room), rest = view_skip(data, room);
    struct block *last = NULL, *chain = chain_new(session, rest, &last);
    if (rest.len && !chain) return false;
    if (queue->last) {
        block_fill(queue->last, head);
        queue->last->next = chain;
    } else {
        queue->first = chain;
    }
    if (chain) queue->last = last;
    queue->bytes += data.len;
    return true;
}

void queue_take(struct link_session *session, struct queue *queue, char *to, size_t len) {
    struct block *block;
    queue->bytes -= len;
    while (len && (block = queue->first)) {
        size_t here = block->end - block->start;
        size_t part = len < here ? len : here;
        memcpy(to, block->bytes + block->start, part);
        block->start += (uint32_t)part;
        to += part;
        len -= part;
        if (block->start < block->end) return;
        queue->first = block->next;
        if (!queue->first) queue->last = NULL;
        block_free(session, block);
    }
}

void queue_clear(struct link_session *session, struct queue *queue) {
    while (queue->first) {
        struct block *block = queue->first;
        queue->first = block->next;
        block_free(session, block);
    }
    queue->last = NULL;
    queue->bytes = 0;
}
