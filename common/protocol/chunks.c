/* See chunks.h. */
#include "protocol/chunks.h"

#include <stdlib.h>

/* ---- cutting ---- */

static bool needs_escape(char byte) {
    return byte == '"' || byte == '\\';
}

/* As many bytes of the front as fit, once they are escaped. */
static size_t piece_len(struct view rest, size_t data_max) {
    size_t len = 0, escaped = 0;
    while (len < rest.len) {
        escaped += needs_escape(rest.ptr[len]) ? 2 : 1;
        if (escaped > data_max) break;
        len++;
    }
    return len;
}

static size_t count_pieces(struct view rest, size_t data_max) {
    size_t count = 0;
    for (; rest.len > 0 && count <= CHUNKS_TOTAL_MAX; count++)
        rest = view_skip(rest, piece_len(rest, data_max));
    return count;
}

bool chunk_cutter_init(struct chunk_cutter *cutter, struct view request_id, struct view text,
                       size_t message_max) {
    struct buf frame; /* without data: what it leaves is for data */
    buf_init(&frame, 8 * 1024);
    const struct v1_chunk empty = {CHUNKS_TOTAL_MAX, CHUNKS_TOTAL_MAX, VIEW("")};
    bool ok = v1_encode_chunk(&frame, request_id, &empty) && frame.len + 2 <= message_max;
    *cutter = (struct chunk_cutter){.request_id = request_id, .rest = text};
    if (ok) {
        cutter->data_max = message_max - frame.len;
        cutter->total = count_pieces(text, cutter->data_max);
    }
    buf_done(&frame);
    return ok && cutter->total <= CHUNKS_TOTAL_MAX;
}

bool chunk_cutter_next(struct chunk_cutter *cutter, struct buf *out) {
    if (cutter->rest.len == 0) return false;
    size_t len = piece_len(cutter->rest, cutter->data_max);
    struct v1_chunk chunk = {cutter->seq, cutter->total, view_slice(cutter->rest, 0, len)};
    if (!v1_encode_chunk(out, cutter->request_id, &chunk)) return false;
    cutter->rest = view_skip(cutter->rest, len);
    cutter->seq++;
    return true;
}

/* ---- joining the pieces of one message ---- */

void chunk_joiner_init(struct chunk_joiner *joiner, size_t bytes_max) {
    *joiner = (struct chunk_joiner){.bytes_max = bytes_max};
}

void chunk_joiner_done(struct chunk_joiner *joiner) {
    for (size_t i = 0; joiner->pieces && i < joiner->total; i++)
        free((char *)(uintptr_t)joiner->pieces[i].ptr);
    free(joiner->pieces);
    chunk_joiner_init(joiner, joiner->bytes_max);
}

static bool makes_sense(const struct chunk_joiner *joiner, const struct v1_chunk *chunk) {
    return chunk->total > 0 && chunk->total <= CHUNKS_TOTAL_MAX && chunk->seq < chunk->total &&
           (joiner->total == 0 || joiner->total == chunk->total) && chunk->data.len > 0 &&
           chunk->data.len <= joiner->bytes_max - joiner->bytes;
}

enum chunk_result chunk_joiner_add(struct chunk_joiner *joiner, const struct v1_chunk *chunk) {
    size_t seq = (size_t)chunk->seq, total = (size_t)chunk->total;
    if (joiner->total == total && seq < total && joiner->pieces[seq].ptr) return CHUNK_REPEATED;
    if (!makes_sense(joiner, chunk)) return CHUNK_REFUSED;
    if (!joiner->pieces) joiner->pieces = calloc(total, sizeof(joiner->pieces[0]));
    char *copy = joiner->pieces ? view_to_cstr(chunk->data) : NULL;
    if (!copy) return CHUNK_REFUSED;
    joiner->total = total;
    joiner->pieces[seq] = view_of(copy, chunk->data.len);
    joiner->bytes += chunk->data.len;
    return ++joiner->have == total ? CHUNK_COMPLETE : CHUNK_MORE;
}

bool chunk_joiner_text(const struct chunk_joiner *joiner, struct buf *out) {
    for (size_t i = 0; i < joiner->total; i++)
        if (!buf_append_view(out, joiner->pieces[i])) return false;
    return true;
}

/* ---- joining many at once ---- */

struct chunked {
    struct table_node node;
    struct list age_node;
    uint64_t began_ms;
    struct chunk_joiner joiner;
    bool complete;
    size_t sender_len, request_len;
    char key[]; /* sender, request id */
};

static struct chunked *chunked_of(struct list *node) {
    return LIST_ENTRY(node, struct chunked, age_node);
}

static struct view sender_of(const struct chunked *chunked) {
    return view_of(chunked->key, chunked->sender_len);
}

static struct view request_of(const struct chunked *chunked) {
    return view_of(chunked->key + chunked->sender_len + 1, chunked->request_len);
}

static void chunked_free(struct chunks *chunks, struct chunked *chunked) {
    chunks->bytes -= chunked->joiner.bytes;
    table_remove(&chunks->by_key, &chunked->node);
    list_remove(&chunked->age_node);
    chunk_joiner_done(&chunked->joiner);
    free(chunked);
}

void chunks_init(struct chunks *chunks, const struct chunks_limits *limits) {
    *chunks = (struct chunks){.limits = *limits};
    table_init(&chunks->by_key);
    list_init(&chunks->by_age);
}

void chunks_done(struct chunks *chunks) {
    while (!list_empty(&chunks->by_age)) chunked_free(chunks, chunked_of(chunks->by_age.next));
    table_done(&chunks->by_key);
}

static void forget_old(struct chunks *chunks, uint64_t now_ms) {
    while (!list_empty(&chunks->by_age)) {
        struct chunked *oldest = chunked_of(chunks->by_age.next);
        if (now_ms - oldest->began_ms < chunks->limits.pending_ms) return;
        chunked_free(chunks, oldest);
    }
}

void chunks_forget(struct chunks *chunks, struct view sender) {
    for (struct list *node = chunks->by_age.next, *next; node != &chunks->by_age; node = next) {
        next = node->next;
        if (view_eq(sender_of(chunked_of(node)), sender)) chunked_free(chunks, chunked_of(node));
    }
}

static size_t held_for(const struct chunks *chunks, struct view sender) {
    size_t bytes = 0;
    for (struct list *node = chunks->by_age.next; node != &chunks->by_age; node = node->next)
        if (view_eq(sender_of(chunked_of(node)), sender)) bytes += chunked_of(node)->joiner.bytes;
    return bytes;
}

void chunks_reopen(struct chunks *chunks, struct view sender, struct view request_id) {
    for (struct list *node = chunks->by_age.next; node != &chunks->by_age; node = node->next) {
        struct chunked *chunked = chunked_of(node);
        if (!view_eq(sender_of(chunked), sender) || !view_eq(request_of(chunked), request_id)) continue;
        chunked_free(chunks, chunked);
        return;
    }
}

static struct chunked *find_or_begin(struct chunks *chunks, struct view sender, struct view request_id,
                                     uint64_t now_ms) {
    struct chunked *fresh = calloc(1, sizeof(*fresh) + sender.len + 1 + request_id.len);
    if (!fresh) return NULL;
    if (sender.len) memcpy(fresh->key, sender.ptr, sender.len);
    if (request_id.len) memcpy(fresh->key + sender.len + 1, request_id.ptr, request_id.len);
    struct view key = view_of(fresh->key, sender.len + 1 + request_id.len);
    struct table_node *known = table_get(&chunks->by_key, key);
    if (known || chunks->by_key.count >= chunks->limits.messages ||
        !table_put(&chunks->by_key, &fresh->node, key)) {
        free(fresh);
        return known ? TABLE_ENTRY(known, struct chunked, node) : NULL;
    }
    fresh->sender_len = sender.len;
    fresh->request_len = request_id.len;
    fresh->began_ms = now_ms;
    chunk_joiner_init(&fresh->joiner, chunks->limits.message_bytes);
    list_init(&fresh->age_node);
    list_append(&chunks->by_age, &fresh->age_node);
    return fresh;
}

static void begin_anew(struct chunks *chunks, struct chunked *chunked) {
    chunks->bytes -= chunked->joiner.bytes;
    chunk_joiner_done(&chunked->joiner);
}

static enum chunk_result complete(struct chunks *chunks, struct chunked *chunked, struct buf *ret_text) {
    bool joined = chunk_joiner_text(&chunked->joiner, ret_text);
    begin_anew(chunks, chunked);
    chunked->complete = true;
    return joined ? CHUNK_COMPLETE : CHUNK_REFUSED;
}

enum chunk_result chunks_add(struct chunks *chunks, struct view sender, struct view request_id,
                             const struct v1_chunk *chunk, uint64_t now_ms, struct buf *ret_text) {
    forget_old(chunks, now_ms);
    struct chunked *chunked = find_or_begin(chunks, sender, request_id, now_ms);
    if (!chunked) return CHUNK_REFUSED;
    if (chunked->complete) return CHUNK_REPEATED;
    if (chunked->joiner.total != chunk->total) begin_anew(chunks, chunked);
    const struct chunks_limits *limits = &chunks->limits;
    size_t before = chunked->joiner.bytes;
    bool fits = chunk->data.len <= limits->all_bytes - chunks->bytes &&
                held_for(chunks, sender) + chunk->data.len <= limits->sender_bytes;
    enum chunk_result result = fits ? chunk_joiner_add(&chunked->joiner, chunk) : CHUNK_REFUSED;
    chunks->bytes += chunked->joiner.bytes - before;
    if (result == CHUNK_REFUSED) chunked_free(chunks, chunked);
    return result == CHUNK_COMPLETE ? complete(chunks, chunked, ret_text) : result;
}
