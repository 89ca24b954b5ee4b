/* See agent_file.h. */
#include "agent_file.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/edits.h"
#include "inspect/place.h"
#include "yaml/config_file.h"

#define ARENA_MAX ((size_t)512 * 1024)
#define TUNNELS VIEW("tunnels")

struct reader {
    struct agent_file *file;
    const char *path;
    uint64_t seen, seen_of_tunnel; /* rows of the table: bits */
    bool has_tunnels;
    struct config_problem *problem;
};

__attribute__((format(printf, 2, 3))) static bool refuse(struct reader *reader, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(reader->problem->text, sizeof(reader->problem->text), format, arguments);
    va_end(arguments);
    return false;
}

static const char *keep(struct reader *reader, struct view text) {
    return arena_copy(&reader->file->arena, text.ptr ? text : VIEW("")).ptr;
}

/* ---- values ---- */

/* A path in the file is relative to it. */
static const char *keep_path(struct reader *reader, struct view value) {
    struct view path = view_from_cstr(reader->path), folder = view_slice(path, 0, 0);
    size_t slash = view_find_last(path, '/');
    if (slash < path.len) folder = view_slice(path, 0, slash + 1);
    if (view_starts_with(value, VIEW("/"))) folder.len = 0;
    return arena_printf(&reader->file->arena, "%.*s%.*s", VIEW_ARG(folder), VIEW_ARG(value)).ptr;
}

static bool is_path(const struct option_row *row) {
    return row->argument && strcmp(row->argument, "FILE") == 0;
}

/* What would show a stranger what is the user's, or run what is the stranger's. */
static bool needs_trust(const struct option_row *row, struct view value) {
    struct inspect_place place;
    bool opens_inspector = strcmp(row->name, "inspect") == 0 && inspect_place_parse(value, &place) &&
                           !place.is_off && !place.is_loopback;
    return is_path(row) || opens_inspector || strcmp(row->name, "proxy") == 0 ||
           strcmp(row->name, "token-command") == 0;
}

/* Others' names and dots apart: a link in a repository, or its .git, is not what its ttf.yaml may publish. */
static bool is_within(const char *folder, const char *base) {
    size_t len = strlen(base);
    bool is_beneath = strncmp(folder, base, len) == 0 && (folder[len] == '/' || !folder[len]);
    return is_beneath && !strstr(folder + len, "/.");
}

/* What is at the path lies below the file. */
static bool is_below_file(struct reader *reader, const char *path) {
    char *place = realpath(path, NULL), *base = realpath(keep_path(reader, VIEW(".")), NULL);
    bool is_below = place && base && is_within(place, base);
    free(place);
    free(base);
    return is_below;
}

/* One that is not there is told of by tunnel_options_check(). */
static bool may_serve(struct reader *reader, const char *folder) {
    return reader->file->is_trusted || access(folder, F_OK) != 0 || is_below_file(reader, folder) ||
           refuse(reader,
                  "a file that is only found here may serve no folder but those below it (name it, "
                  "--config %.60s, if you trust it)",
                  reader->path);
}

/* Not even a link that leads nowhere yet. */
static bool is_nothing(const char *path) {
    struct stat is;
    return lstat(path, &is) != 0 && errno == ENOENT;
}

/* A socket that is not there yet is where its folder is. */
static bool is_socket_below_file(struct reader *reader, const char *path) {
    struct view text = view_from_cstr(path), folder = view_slice(text, 0, view_find_last(text, '/'));
    if (!is_nothing(path)) return is_below_file(reader, path);
    const char *place = folder.len < text.len ? keep(reader, folder) : ".";
    return place && is_below_file(reader, *place ? place : "/");
}

/* Who reaches some sockets of the user (a container engine's) runs commands. */
static bool may_dial(struct reader *reader, const char *socket) {
    return reader->file->is_trusted || is_socket_below_file(reader, socket) ||
           refuse(reader,
                  "a file that is only found here may name no socket but those below it (name it, "
                  "--config %.60s, if you trust it)",
                  reader->path);
}

static bool take_folder(struct reader *reader, struct tunnel_options *tunnel, struct view value) {
    tunnel->folder = keep_path(reader, value);
    if (!tunnel->folder) return refuse(reader, "out of memory");
    return may_serve(reader, tunnel->folder);
}

static bool take_service(struct reader *reader, struct tunnel_options *tunnel, struct view value) {
    struct service_word word;
    const char *text = keep(reader, value);
    if (!text) return refuse(reader, "out of memory");
    const char *wrong = service_word_parse(text, &word);
    if (wrong) return refuse(reader, "service '%.60s': %s", text, wrong);
    tunnel->port = word.port;
    if (word.folder) return take_folder(reader, tunnel, value);
    if (word.unix_path && !may_dial(reader, word.unix_path)) return false;
    tunnel->unix_path = word.unix_path;
    tunnel->local_https = word.https;
    if (word.host[0]) tunnel->host = keep(reader, view_from_cstr(word.host));
    return !word.host[0] || tunnel->host || refuse(reader, "out of memory");
}

static bool store(struct reader *reader, const struct option_row *row, void *member, struct view value) {
    const char *text = is_path(row) ? keep_path(reader, value) : keep(reader, value);
    if (!text) return refuse(reader, "out of memory");
    return option_store(row, member, value.len ? text : "", row->name, reader->problem->text,
                        sizeof(reader->problem->text));
}

/* ---- entries ---- */

static bool is_of_top(const struct option_row *row) {
    return row->place == PLACE_FILE;
}

static bool is_of_section(const struct option_row *row) {
    return option_is_of_tunnel(row);
}

static bool unknown(struct reader *reader, struct view name, option_test_fn *is_meant) {
    const struct option_row *near = option_nearest(name, is_meant), *row = option_by_name(name);
    if (row && option_is_of_tunnel(row))
        return refuse(reader, "'%s' belongs to a tunnel: into a section of its own below tunnels", row->name);
    if (row && is_of_top(row))
        return refuse(reader, "'%s' is for all tunnels: it stands at the top", row->name);
    if (row) return refuse(reader, "'%s' is for the command line alone", row->name);
    if (near)
        return refuse(reader, "unknown setting '%.*s' (did you mean %s?)", VIEW_ARG(view_slice(name, 0, 60)),
                      near->name);
    if (is_meant == is_of_top && edit_distance(name, TUNNELS) < 3)
        return refuse(reader, "unknown setting '%.*s' (did you mean tunnels?)", VIEW_ARG(name));
    return refuse(reader, "unknown setting '%.*s'", VIEW_ARG(view_slice(name, 0, 60)));
}

/* The row of a single value that stands where it may, and for the first time. */
static const struct option_row *take_row(struct reader *reader, const struct config_entry *entry,
                                         option_test_fn *is_meant, uint64_t *seen) {
    const struct option_row *row = option_by_name(entry->name);
    if (!row || !is_meant(row)) {
        unknown(reader, entry->name, is_meant);
        return NULL;
    }
    uint64_t bit = (uint64_t)1 << (row - option_rows);
    if (entry->is_list || entry->is_section)
        refuse(reader, "%s wants one value", row->name);
    else if (*seen & bit)
        refuse(reader, "%s is said twice", row->name);
    else if (!reader->file->is_trusted && needs_trust(row, entry->value))
        refuse(
            reader,
            "%s may not be said by a file that is only found here (name it, --config %.60s, if you trust it)",
            row->name, reader->path);
    else {
        *seen |= bit;
        return row;
    }
    return NULL;
}

static bool take_top(struct reader *reader, const struct config_entry *entry) {
    struct options *options = &reader->file->options;
    if (view_eq(entry->name, TUNNELS)) {
        if (reader->has_tunnels) return refuse(reader, "tunnels is said twice");
        reader->has_tunnels = true;
        return entry->is_section ||
               refuse(reader, "tunnels wants a section for each: NAME: and its settings");
    }
    const struct option_row *row = take_row(reader, entry, is_of_top, &reader->seen);
    return row && store(reader, row, (char *)options + row->member, entry->value);
}

/* "web: 3000", or a section of that name begins. */
static bool take_tunnel(struct reader *reader, const struct config_entry *entry) {
    struct agent_file *file = reader->file;
    const char *label = keep(reader, entry->name);
    if (!label) return refuse(reader, "out of memory");
    if (!tunnel_label_is_sane(label))
        return refuse(reader, "a tunnel's name here is 1 to %d letters, digits, '.', '_' and '-'",
                      TUNNEL_LABEL_MAX);
    for (size_t i = 0; i < file->count; i++)
        if (strcmp(file->tunnels[i].label, label) == 0)
            return refuse(reader, "there is a tunnel '%s' in line %u already", label, file->lines[i]);
    if (file->count == AGENT_FILE_TUNNELS_MAX)
        return refuse(reader, "more than %d tunnels", AGENT_FILE_TUNNELS_MAX);
    struct tunnel_options *tunnel = &file->tunnels[file->count];
    *tunnel = (struct tunnel_options){.label = label};
    file->lines[file->count++] = entry->line;
    reader->seen_of_tunnel = 0;
    if (entry->is_section) return true;
    if (entry->is_list) return refuse(reader, "%s wants a service, or a section of settings", label);
    return take_service(reader, tunnel, entry->value);
}

static bool take_of_tunnel(struct reader *reader, const struct config_entry *entry) {
    struct tunnel_options *tunnel = &reader->file->tunnels[reader->file->count - 1];
    const struct option_row *row = take_row(reader, entry, is_of_section, &reader->seen_of_tunnel);
    if (!row) return false;
    if (row->kind == OPTION_SERVICE) return take_service(reader, tunnel, entry->value);
    return store(reader, row, (char *)tunnel + (row->member - offsetof(struct options, tunnel)),
                 entry->value);
}

static bool take(void *ctx, const struct config_entry *entry, struct config_problem *problem) {
    struct reader *reader = ctx;
    reader->problem = problem;
    if (!entry->sections[0].ptr)
        return take_top(reader, entry) && (!entry->is_section || view_eq(entry->name, TUNNELS) ||
                                           unknown(reader, entry->name, is_of_top));
    return entry->sections[1].ptr ? take_of_tunnel(reader, entry) : take_tunnel(reader, entry);
}

/* ---- the whole ---- */

static bool check_names(const struct agent_file *file, size_t at, char *error, size_t error_size) {
    const char *name = file->tunnels[at].name;
    for (size_t i = 0; i < at && name; i++) {
        if (!file->tunnels[i].name || strcmp(file->tunnels[i].name, name) != 0) continue;
        snprintf(error, error_size, "'%s' and '%s' ask for the same name, '%s'", file->tunnels[i].label,
                 file->tunnels[at].label, name);
        return false;
    }
    return true;
}

static bool check(struct agent_file *file, struct config_problem *problem) {
    snprintf(problem->text, sizeof(problem->text), "token-file and token-command are two ways to one token");
    problem->line = 0;
    if (file->options.token_file && file->options.token_command) return false;
    for (size_t i = 0; i < file->count; i++) {
        tunnel_options_complete(&file->tunnels[i]);
        problem->line = file->lines[i];
        if (!tunnel_options_check(&file->tunnels[i], "", problem->text, sizeof(problem->text)) ||
            !check_names(file, i, problem->text, sizeof(problem->text)))
            return false;
    }
    return true;
}

static void print_problem(const char *path, const struct config_problem *problem, char *error,
                          size_t error_size) {
    char line[16] = "";
    if (problem->line) snprintf(line, sizeof(line), "%u:", problem->line);
    snprintf(error, error_size, "%.200s:%s %s", path, line, problem->text);
}

bool agent_file_parse(struct agent_file *ret_file, struct view text, const char *path, bool is_trusted,
                      char *error, size_t error_size) {
    struct config_problem problem;
    struct reader reader = {.file = ret_file, .path = path};
    *ret_file = (struct agent_file){.is_trusted = is_trusted};
    arena_init(&ret_file->arena, ARENA_MAX);
    bool good = config_file_parse_sections(text, CONFIG_SECTIONS_MAX, take, &reader, &problem) &&
                check(ret_file, &problem);
    if (!good) print_problem(path, &problem, error, error_size);
    return good;
}

bool agent_file_load(struct agent_file *ret_file, const char *path, bool is_trusted, char *error,
                     size_t error_size) {
    struct buf text;
    struct config_problem problem;
    arena_init(&ret_file->arena, ARENA_MAX);
    bool loaded = config_file_load(path, &text, &problem);
    bool good = loaded && agent_file_parse(ret_file, buf_view(&text), path, is_trusted, error, error_size);
    if (!loaded) print_problem(path, &problem, error, error_size);
    buf_done(&text);
    return good;
}

void agent_file_done(struct agent_file *file) {
    arena_done(&file->arena);
}

/* ---- a choice ---- */

static bool is_chosen(const struct tunnel_options *tunnel, const char *const labels[], size_t count) {
    for (size_t i = 0; i < count; i++)
        if (strcmp(tunnel->label, labels[i]) == 0) return true;
    return false;
}

static bool has(const struct agent_file *file, const char *label) {
    for (size_t i = 0; i < file->count; i++)
        if (strcmp(file->tunnels[i].label, label) == 0) return true;
    return false;
}

static const char *nearest_label(const struct agent_file *file, const char *label) {
    struct view word = view_from_cstr(label);
    struct nearest nearest = {.word = word, .most = word.len < 3 ? word.len - 1 : 2};
    for (size_t i = 0; i < file->count && word.len; i++) nearest_offer(&nearest, file->tunnels[i].label);
    return nearest.name;
}

bool agent_file_select(struct agent_file *file, const char *const labels[], size_t count, const char *path,
                       char *error, size_t error_size) {
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (has(file, labels[i])) continue;
        const char *near = nearest_label(file, labels[i]);
        snprintf(error, error_size, "%.200s has no tunnel '%.60s'%s%s%s", path, labels[i],
                 near ? " (did you mean " : "", near ? near : "", near ? "?)" : "");
        return false;
    }
    for (size_t i = 0; i < file->count && count; i++) {
        if (!is_chosen(&file->tunnels[i], labels, count)) continue;
        file->lines[kept] = file->lines[i];
        file->tunnels[kept++] = file->tunnels[i];
    }
    if (count) file->count = kept;
    return true;
}
