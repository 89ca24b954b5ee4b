#include "dotenv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/regular_file.h"

#define FILE_MAX_BYTES (64 * 1024)

struct dotenv_entry {
    struct dotenv_entry *older;
    struct view name, value;
};

void dotenv_init(struct dotenv *dotenv) {
    *dotenv = (struct dotenv){.newest = NULL};
    arena_init(&dotenv->arena, 4 * FILE_MAX_BYTES);
}

void dotenv_done(struct dotenv *dotenv) {
    arena_done(&dotenv->arena);
    dotenv->newest = NULL;
}

static bool name_byte(char byte, bool first) {
    if ((byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z') || byte == '_') return true;
    return !first && byte >= '0' && byte <= '9';
}

/* Takes a name off the front; the absent view when there is none. */
static struct view take_name(struct view *line) {
    size_t len = 0;
    while (len < line->len && name_byte(line->ptr[len], len == 0)) len++;
    struct view name = len ? view_slice(*line, 0, len) : (struct view){0};
    *line = view_skip(*line, len);
    return name;
}

static char unescape(char byte) {
    switch (byte) {
    case 'n': return '\n';
    case 'r': return '\r';
    case 't': return '\t';
    default: return byte;
    }
}

/* What stands between the quotes; an unclosed quote makes the line invalid. */
static bool quoted_value(struct dotenv *dotenv, struct view rest, struct view *ret_value) {
    char quote = rest.ptr[0];
    char *out = arena_alloc(&dotenv->arena, rest.len);
    if (!out) return false;
    size_t len = 0;
    for (size_t i = 1; i < rest.len; i++) {
        char byte = rest.ptr[i];
        if (byte == quote) {
            out[len] = '\0';
            *ret_value = view_of(out, len);
            return true;
        }
        if (quote == '"' && byte == '\\' && i + 1 < rest.len) byte = unescape(rest.ptr[++i]);
        out[len++] = byte;
    }
    return false;
}

/* Up to a # that stands at the start or behind white space. */
static struct view plain_value(struct view rest) {
    size_t end = 0;
    while (end < rest.len) {
        if (rest.ptr[end] == '#' && (end == 0 || rest.ptr[end - 1] == ' ' || rest.ptr[end - 1] == '\t'))
            break;
        end++;
    }
    return view_trim(view_slice(rest, 0, end));
}

static bool parse_line(struct dotenv *dotenv, struct view line) {
    line = view_trim(line);
    if (view_starts_with(line, VIEW("export ")) || view_starts_with(line, VIEW("export\t")))
        line = view_trim(view_skip(line, 7));
    struct view name = take_name(&line);
    line = view_trim(line);
    if (!name.ptr || !line.len || line.ptr[0] != '=') return true;
    line = view_trim(view_skip(line, 1));

    struct view value;
    if (line.len && (line.ptr[0] == '"' || line.ptr[0] == '\'')) {
        if (!quoted_value(dotenv, line, &value)) return true;
    } else {
        value = plain_value(line);
    }
    struct dotenv_entry *entry = arena_alloc(&dotenv->arena, sizeof(*entry));
    if (!entry) return false;
    *entry = (struct dotenv_entry){
        .older = dotenv->newest,
        .name = arena_copy(&dotenv->arena, name),
        .value = arena_copy(&dotenv->arena, value),
    };
    if (!entry->name.ptr || !entry->value.ptr) return false;
    dotenv->newest = entry;
    return true;
}

bool dotenv_parse(struct dotenv *dotenv, struct view text) {
    if (view_starts_with(text, VIEW("\xef\xbb\xbf"))) text = view_skip(text, 3);
    struct view line;
    while (view_split(&text, '\n', &line)) {
        if (line.len && line.ptr[line.len - 1] == '\r') line.len--;
        if (!parse_line(dotenv, line)) return false;
    }
    return true;
}

enum status dotenv_load(struct dotenv *dotenv, const char *path) {
    FILE *file = regular_file_open(path);
    if (!file && errno == EINVAL) return STATUS_INVALID;
    if (!file) return errno == ENOENT || errno == ENOTDIR ? STATUS_NOT_FOUND : STATUS_UNAVAILABLE;
    enum status status = STATUS_NO_MEMORY;
    char *text = malloc(FILE_MAX_BYTES + 1);
    if (!text) goto out;
    size_t len = fread(text, 1, FILE_MAX_BYTES + 1, file);
    status = STATUS_UNAVAILABLE;
    if (ferror(file)) goto out;
    status = STATUS_TOO_LARGE;
    if (len > FILE_MAX_BYTES) goto out;
    status = dotenv_parse(dotenv, view_of(text, len)) ? STATUS_OK : STATUS_NO_MEMORY;
out:
    free(text);
    fclose(file);
    return status;
}

const char *dotenv_get(const struct dotenv *dotenv, const char *name) {
    for (const struct dotenv_entry *entry = dotenv->newest; entry; entry = entry->older)
        if (view_eq(entry->name, view_from_cstr(name))) return entry->value.ptr;
    return NULL;
}

const char *dotenv_lookup(const struct dotenv *dotenv, const char *name) {
    const char *value = getenv(name);
    if (value && *value) return value;
    value = dotenv_get(dotenv, name);
    return value && *value ? value : NULL;
}
