/* See help.h. */
#include "base/help.h"

#define TOPIC_COLUMN 14

static void put_spaces(FILE *out, size_t count) {
    fprintf(out, "%*s", (int)count, "");
}

/* Bytes that lead another one on are none of their own. */
static size_t width_of(struct view text) {
    size_t width = 0;
    for (size_t i = 0; i < text.len; i++) width += ((unsigned char)text.ptr[i] & 0xc0) != 0x80;
    return width;
}

void help_put(FILE *out, const char *name, size_t column, const char *text) {
    size_t used = width_of(view_from_cstr(name));
    struct view rest = view_from_cstr(text), word;
    bool is_first = true;
    fputs(name, out);
    while (view_split(&rest, ' ', &word)) {
        bool breaks = is_first ? used + 1 > column : used + 1 + width_of(word) > HELP_WIDTH;
        if (breaks) fputc('\n', out);
        if (breaks) used = 0;
        size_t gap = is_first || breaks ? column - used : 1;
        put_spaces(out, gap);
        fwrite(word.ptr, 1, word.len, out);
        used += gap + width_of(word);
        is_first = false;
    }
    fputc('\n', out);
}

static struct view topic_of(const char *heading) {
    struct view whole = view_from_cstr(heading);
    return view_slice(whole, 0, view_find(whole, ' '));
}

bool help_is_topic(const char *heading, struct view word) {
    return view_eq_nocase(topic_of(heading), word);
}

const char *help_name(const char *heading, char out[HELP_NAME_MAX]) {
    struct view topic = view_slice(topic_of(heading), 0, HELP_NAME_MAX - 1);
    for (size_t i = 0; i < topic.len; i++) {
        char c = topic.ptr[i];
        out[i] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
    }
    out[topic.len] = '\0';
    return out;
}

void help_put_topic(FILE *out, const char *heading, const char *about) {
    char topic[HELP_NAME_MAX], name[HELP_NAME_MAX + 2];
    snprintf(name, sizeof(name), "  %s", help_name(heading, topic));
    help_put(out, name, TOPIC_COLUMN, about);
}
