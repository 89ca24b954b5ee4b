/* See filter.h. */
#include "inspect/filter.h"

#define STATUS_LEAST 100u
#define STATUS_MOST 999u

/* "404", "4xx", "400-499". */
static bool parse_status(struct filter *filter, const char *word) {
    struct view rest = view_from_cstr(word), first;
    uint64_t least, most;
    if (!word) return true;
    if (rest.len == 3 && word[0] >= '1' && word[0] <= '9' && view_eq_nocase(view_skip(rest, 1), VIEW("xx"))) {
        filter->status_least = (unsigned)(word[0] - '0') * 100;
        filter->status_most = filter->status_least + 99;
        return true;
    }
    view_split(&rest, '-', &first);
    if (!view_parse_u64(first, &least) || !view_parse_u64(rest.ptr ? rest : first, &most)) return false;
    filter->status_least = (unsigned)least;
    filter->status_most = (unsigned)most;
    return least >= STATUS_LEAST && least <= most && most <= STATUS_MOST;
}

const char *filter_parse(struct filter *ret_filter, filter_value_fn *value, void *ctx) {
    const char *after = value(ctx, "after"), *ended = value(ctx, "ended");
    *ret_filter = (struct filter){.tunnel = value(ctx, "tunnel_name"),
                                  .method = value(ctx, "method"),
                                  .path = value(ctx, "path"),
                                  .text = value(ctx, "text"),
                                  .ended = ended && strcmp(ended, "true") == 0,
                                  .text_bytes_left = FILTER_TEXT_BYTES};
    if (!parse_status(ret_filter, value(ctx, "status"))) return "status is like 404, 4xx or 400-499";
    if (after && !view_parse_u64(view_from_cstr(after), &ret_filter->after)) return "after is a request's id";
    return NULL;
}

static bool is_in(struct view all, struct view part) {
    return part.len == 0 || (all.len && memmem(all.ptr, all.len, part.ptr, part.len));
}

static bool holds(const struct store_message *message, struct view text) {
    for (size_t i = 0; i < message->count; i++)
        if (is_in(message->fields[i].value, text)) return true;
    return is_in(buf_view(&message->body), text);
}

static bool has_text(struct filter *filter, const struct store_record *record) {
    struct view text = view_from_cstr(filter->text);
    if (!text.len) return true;
    if (record->bytes > filter->text_bytes_left) return false;
    filter->text_bytes_left -= record->bytes;
    return is_in(record->target, text) || holds(&record->request, text) || holds(&record->answer, text);
}

static bool is_of_tunnel(const struct store_record *record, const char *name) {
    if (!name) return true;
    return record->tunnel.len ? view_eq(record->tunnel, view_from_cstr(name))
                              : strcmp(name, INSPECT_ONLY_TUNNEL) == 0;
}

static bool has_status(const struct filter *filter, const struct store_record *record) {
    unsigned status = (unsigned)(record->status ? record->status : record->service_status);
    return !filter->status_most || (status >= filter->status_least && status <= filter->status_most);
}

bool filter_takes(struct filter *filter, const struct store_record *record) {
    if (record->id <= filter->after || (filter->ended && !record->ended_ms)) return false;
    if (!is_of_tunnel(record, filter->tunnel) || !has_status(filter, record)) return false;
    if (filter->method && !view_eq_nocase(record->method, view_from_cstr(filter->method))) return false;
    return is_in(record->target, view_from_cstr(filter->path)) && has_text(filter, record);
}
