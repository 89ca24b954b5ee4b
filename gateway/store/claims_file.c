/* See claims_file.h. */
#include "store/claims_file.h"

#include "store/claim_record.h"

struct writing {
    struct buf *out;
    struct buf record;
    bool complete;
};

static void write_one(void *ctx, const struct claim *claim, struct view options) {
    struct writing *writing = ctx;
    buf_clear(&writing->record);
    bool well = claim_record_encode_tagged(&writing->record, claim, options) &&
                buf_printf(writing->out, "%zu\n", writing->record.len) &&
                buf_append_view(writing->out, buf_view(&writing->record));
    writing->complete = writing->complete && well;
}

bool claims_file_write(struct buf *out, const struct store_memory *store) {
    struct writing writing = {.out = out, .complete = true};
    buf_init(&writing.record, CLAIM_RECORD_MAX);
    store_memory_each(store, write_one, &writing);
    buf_done(&writing.record);
    return writing.complete;
}

/* Moves *text behind it. False at the end, and where there is none. */
static bool next_record(struct view *text, struct view *ret_record) {
    size_t end = view_find(*text, '\n');
    uint64_t len;
    if (end >= text->len || !view_parse_u64(view_slice(*text, 0, end), &len)) return false;
    *text = view_skip(*text, end + 1);
    if (len > CLAIM_RECORD_MAX || len > text->len) return false;
    *ret_record = view_slice(*text, 0, (size_t)len);
    *text = view_skip(*text, (size_t)len);
    return true;
}

static void take_offline(struct claim *claim, const struct claims_keep *keep) {
    if (claim->member.state == CLAIM_OFFLINE) return;
    claim->member.state = CLAIM_OFFLINE;
    claim->member.changed_ms = keep->now_ms;
    claim->expires_ms = keep->now_ms + (claim_is_anonymous(claim) ? keep->anonymous_ms : keep->owned_ms);
}

size_t claims_file_read(struct view text, struct store_memory *store, const struct claims_keep *keep) {
    struct view record, options;
    struct claim claim;
    size_t count = 0;
    while (next_record(&text, &record)) {
        if (!claim_record_decode(record, &claim, &options)) break;
        take_offline(&claim, keep);
        if (store_memory_restore(store, &claim, options)) count++;
    }
    return count;
}
