/* See denial_list.h. */
#include "control/denial_list.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/utf8.h"

static uint64_t now(const struct denial_list *list) {
    return list->wall_ms(list->wall_ctx);
}

void denial_list_init(struct denial_list *list, uint64_t (*wall_ms)(void *ctx), void *wall_ctx) {
    *list = (struct denial_list){.wall_ms = wall_ms, .wall_ctx = wall_ctx};
    table_init(&list->table);
    list_init(&list->all);
}

static void denial_free(struct denial_list *list, struct denial *denial) {
    table_remove(&list->table, &denial->node);
    list_remove(&denial->all);
    free(denial);
}

void denial_list_done(struct denial_list *list) {
    while (!list_empty(&list->all)) denial_free(list, LIST_ENTRY(list->all.next, struct denial, all));
    table_done(&list->table);
}

/* ---- texts ---- */

static bool is_printable(struct view text) {
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.ptr[i] < 0x20 || text.ptr[i] == 0x7f) return false;
    struct utf8_check check = {0}; /* JSON holds nothing else */
    return utf8_check(&check, text.ptr, text.len) && utf8_is_whole(&check);
}

bool denial_key_valid(struct view key) {
    static const struct {
        struct view kind;
        size_t most;
    } kinds[] = {{{"name:", 5}, TUNNEL_NAME_MAX},
                 {{"owner:", 6}, OWNER_MAX},
                 {{"token:", 6}, OWNER_MAX},
                 {{"tokens:", 7}, OWNER_MAX}};
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (view_starts_with(key, kinds[i].kind))
            return key.len > kinds[i].kind.len && key.len - kinds[i].kind.len <= kinds[i].most &&
                   is_printable(key);
    return false;
}

bool denial_record_encode(struct buf *out, const struct denial *denial) {
    return buf_printf(out, "%llu\n%llu\n%s\n%s", (unsigned long long)denial->since_ms,
                      (unsigned long long)denial->until_ms, denial->by, denial->reason);
}

static bool record_parse(struct view record, struct denial *ret_denial) {
    struct view since, until, by;
    return view_split(&record, '\n', &since) && view_split(&record, '\n', &until) &&
           view_split(&record, '\n', &by) && record.ptr && view_parse_u64(since, &ret_denial->since_ms) &&
           view_parse_u64(until, &ret_denial->until_ms) && is_printable(by) && is_printable(record) &&
           view_copy_to(by, ret_denial->by, sizeof(ret_denial->by)) &&
           view_copy_to(record, ret_denial->reason, sizeof(ret_denial->reason));
}

/* ---- the list ---- */

static struct denial *find(const struct denial_list *list, struct view key) {
    struct table_node *node = table_get(&list->table, key);
    return node ? TABLE_ENTRY(node, struct denial, node) : NULL;
}

static struct denial *add(struct denial_list *list, struct view key) {
    struct denial *denial = calloc(1, sizeof(*denial));
    if (!denial) return NULL;
    view_copy_to(key, denial->key, sizeof(denial->key));
    if (!table_put(&list->table, &denial->node, view_from_cstr(denial->key))) {
        free(denial);
        return NULL;
    }
    denial->number = ++list->last_number;
    list_init(&denial->all);
    list_append(&list->all, &denial->all);
    return denial;
}

enum status denial_list_put(struct denial_list *list, struct view key, struct view record) {
    struct denial read;
    if (!denial_key_valid(key) || !record_parse(record, &read)) return STATUS_INVALID;
    struct denial *denial = find(list, key);
    if (!denial && list->table.count >= DENIALS_MAX) return STATUS_OVERLOADED;
    if (!denial) denial = add(list, key);
    if (!denial) return STATUS_NO_MEMORY;
    denial->since_ms = read.since_ms;
    denial->until_ms = read.until_ms;
    denial->generation = list->generation;
    memcpy(denial->by, read.by, sizeof(denial->by));
    memcpy(denial->reason, read.reason, sizeof(denial->reason));
    return STATUS_OK;
}

bool denial_list_drop(struct denial_list *list, struct view key) {
    struct denial *denial = find(list, key);
    if (denial) denial_free(list, denial);
    return denial;
}

/* ---- who is denied ---- */

bool denial_list_is_over(const struct denial_list *list, const struct denial *denial, uint64_t since_ms) {
    return denial->until_ms && denial->until_ms <= now(list) && now(list) - denial->until_ms >= since_ms;
}

static const struct denial *find_live(const struct denial_list *list, const char *kind, struct view value) {
    char key[DENIAL_KEY_MAX + 1];
    int len = snprintf(key, sizeof(key), "%s%.*s", kind, VIEW_ARG(value));
    if (!value.len || len >= (int)sizeof(key)) return NULL;
    const struct denial *denial = find(list, view_from_cstr(key));
    return denial && !denial_list_is_over(list, denial, 0) ? denial : NULL;
}

/* One that does not say when it was issued may be an old one. */
static const struct denial *find_older(const struct denial_list *list, const struct applicant *applicant) {
    const struct denial *denial = find_live(list, "tokens:", applicant->owner);
    return denial && applicant->token_issued_s * 1000 <= denial->since_ms ? denial : NULL;
}

const char *denial_list_why(struct denial_list *list, const struct applicant *applicant) {
    const char *what = "this name is blocked";
    if (!list->table.count) return NULL;
    const struct denial *denial = find_live(list, "name:", applicant->tunnel_id);
    if (!denial && (denial = find_live(list, "owner:", applicant->owner))) what = "this owner is blocked";
    if (!denial && (denial = find_live(list, "token:", applicant->token_id)))
        what = "this token has been revoked";
    if (!denial && (denial = find_older(list, applicant)))
        what = "this owner's tokens and certificates of before have been revoked";
    if (!denial) return NULL;
    snprintf(list->text, sizeof(list->text), "%s%s%s", what, denial->reason[0] ? ": " : "", denial->reason);
    return list->text;
}

static const char *why(void *ctx, const struct applicant *applicant) {
    return denial_list_why(ctx, applicant);
}

struct denials denial_list_port(struct denial_list *list) {
    return (struct denials){.ctx = list, .why = why};
}
