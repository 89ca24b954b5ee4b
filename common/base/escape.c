/* See escape.h. */
#include "base/escape.h"

#include <stdbool.h>
#include <string.h>

void escape_put(FILE *out, const char *text, const char *special, const char *escape) {
    for (; *text; text++) {
        if (strchr(special, *text)) fputs(escape, out);
        fputc(*text, out);
    }
}

void escape_put_zsh(FILE *out, const char *text) {
    for (; *text; text++) {
        if (*text == '\'')
            fputs("'\\''", out);
        else if (strchr("[]:\\", *text))
            fprintf(out, "\\%c", *text);
        else
            fputc(*text, out);
    }
}

void escape_put_fish(FILE *out, const char *text) {
    fputc('\'', out);
    escape_put(out, text, "'\\", "\\");
    fputc('\'', out);
}

static void put_man_char(FILE *out, char c) {
    if (c == '\\')
        fputs("\\e", out);
    else if (c == '-')
        fputs("\\-", out);
    else
        fputc(c, out);
}

/* A line that begins with one of these would be a request. */
static void protect_start(FILE *out, char first) {
    if (first == '.' || first == '\'') fputs("\\&", out);
}

void escape_put_man(FILE *out, const char *text) {
    protect_start(out, *text);
    for (; *text; text++) put_man_char(out, *text);
}

/* Where the link ends whose text ends here; NULL: none does. */
static const char *end_of_link(const char *text) {
    return strncmp(text, "](", 2) == 0 ? strchr(text, ')') : NULL;
}

void escape_put_man_markdown(FILE *out, const char *text) {
    bool is_bold = false;
    protect_start(out, *text);
    for (; *text; text++) {
        const char *end = is_bold ? NULL : end_of_link(text);
        if (end) {
            text = end;
        } else if (*text == '`') {
            is_bold = !is_bold;
            fputs(is_bold ? "\\fB" : "\\fR", out);
        } else if (is_bold || *text != '[' || !strstr(text, "](")) {
            put_man_char(out, *text);
        }
    }
}
