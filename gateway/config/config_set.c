/* Puts a value into its place in struct config. */
#include <stdlib.h>

#include "config/config_parse.h"
#include "config/config_value.h"

static bool set_list(struct text_list *list, struct view text) {
    free(list->items);
    free(list->storage);
    *list = (struct text_list){.storage = view_to_cstr(text)};
    list->items = calloc(text.len + 1, sizeof(*list->items));
    if (!list->storage || !list->items) return false;
    struct view rest = view_of(list->storage, text.len), item;
    while (view_split(&rest, ',', &item))
        if ((item = view_trim(item)).len) list->items[list->count++] = item;
    return true;
}

static bool set_level(enum log_level *level, struct view text) {
    for (int i = LOG_LEVEL_ERROR; i <= LOG_LEVEL_DEBUG; i++) {
        *level = (enum log_level)i;
        if (view_eq_nocase(text, view_from_cstr(log_level_name(*level)))) return true;
    }
    return false;
}

static bool set_text(char **place, struct view text) {
    free(*place);
    *place = view_to_cstr(text);
    return *place != NULL;
}

static bool set_answer(enum answer *answer, struct view text) {
    bool yes;
    if (!bool_parse(text, &yes)) return false;
    *answer = yes ? ANSWER_YES : ANSWER_NO;
    return true;
}

const char *config_set(struct config *config, const struct setting *setting, struct view text) {
    void *place = (char *)config + setting->offset;
    const char *why = "";
    switch (setting->kind) {
    case KIND_TOPIC:
    case KIND_TEXT: return set_text(place, text) ? NULL : "out of memory";
    case KIND_LIST: return set_list(place, text) ? NULL : "out of memory";
    case KIND_BOOL: return bool_parse(text, place) ? NULL : "expected true or false";
    case KIND_ANSWER: return set_answer(place, text) ? NULL : "expected true or false";
    case KIND_DURATION:
        return duration_parse(text, place) ? NULL : "expected a time such as 500ms, 25s, 5m or 2h";
    case KIND_SIZE: return size_parse(text, place) ? NULL : "expected a size such as 512, 64KiB or 2MiB";
    case KIND_ADDRESS: return listen_address_parse(text, place, &why) ? NULL : why;
    case KIND_LEVEL: return set_level(place, text) ? NULL : "expected error, warn, info or debug";
    case KIND_DO: *(bool *)place = true; return NULL;
    }
    return "?";
}
