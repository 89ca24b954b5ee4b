/* See call_kind.h. */
#include "call_kind.h"

static bool is_one_of(struct view value, const struct view list[], size_t count) {
    for (size_t i = 0; i < count; i++)
        if (view_eq_nocase(view_slice(value, 0, list[i].len), list[i])) return true;
    return false;
}

enum board_kind call_kind_asked(const struct headers *request) {
    static const struct view pages[] = {VIEW("document"), VIEW("iframe"), VIEW("frame")};
    struct view destination = headers_get(request, VIEW("sec-fetch-dest"));
    if (!destination.len || view_eq(destination, VIEW("empty"))) return BOARD_CALL;
    return is_one_of(destination, pages, 3) ? BOARD_PAGE : BOARD_ASSET;
}

/* Of who does not say what it is for: some browsers do not over plain HTTP. */
static enum board_kind kind_of_type(struct view type) {
    static const struct view assets[] = {VIEW("image/"),
                                         VIEW("font/"),
                                         VIEW("text/css"),
                                         VIEW("text/javascript"),
                                         VIEW("application/javascript"),
                                         VIEW("application/x-javascript")};
    if (is_one_of(type, &VIEW("text/html"), 1)) return BOARD_PAGE;
    return is_one_of(type, assets, sizeof(assets) / sizeof(assets[0])) ? BOARD_ASSET : BOARD_CALL;
}

enum board_kind call_kind_answered(enum board_kind asked, struct view method, int status,
                                   const struct headers *answer) {
    if (status == 101) return BOARD_SOCKET;
    struct view type = headers_get(answer, VIEW("content-type"));
    if (is_one_of(type, &VIEW("text/event-stream"), 1)) return BOARD_EVENTS;
    if (!view_eq(method, VIEW("GET"))) return BOARD_CALL;
    return asked == BOARD_CALL ? kind_of_type(type) : asked;
}
