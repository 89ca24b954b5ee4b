/* A config file: one YAML mapping of settings, `name: value`; a list also as [a, b] or in lines of `- a`; and
 * where the caller allows it, sections, which are mappings again. Read by libyaml, event by event; what else
 * YAML can do (anchors, tags, several documents, other nesting) is refused. What the names and values mean is
 * the caller's. */
#ifndef YAML_CONFIG_FILE_H
#define YAML_CONFIG_FILE_H

#include "base/buf.h"

#define CONFIG_FILE_BYTES_MAX (64 * 1024)
#define CONFIG_SECTIONS_MAX 2

/* Borrowed until return. */
struct config_entry {
    struct view name, value;                   /* no control characters; a list's items joined by commas */
    struct view sections[CONFIG_SECTIONS_MAX]; /* that it stands in, outermost first; absent: none */
    bool is_list;
    bool is_section; /* one begins: its entries follow */
    unsigned line;   /* of the name, from 1 */
};

/* The library that reads YAML, and its version. */
const char *config_file_library(void);

struct config_problem {
    unsigned line; /* 0: of the file as a whole */
    char text[200];
};

/* False: not this one; *problem says why, and is where that stood (the line may be left 0: the entry's). */
typedef bool config_entry_fn(void *ctx, const struct config_entry *entry, struct config_problem *problem);

/* Calls `take` for each entry, in order; false with *ret_problem at the first thing that is wrong. */
bool config_file_parse(struct view text, config_entry_fn *take, void *ctx,
                       struct config_problem *ret_problem);
/* The same, with sections within sections, so deep at most. */
bool config_file_parse_sections(struct view text, unsigned depth, config_entry_fn *take, void *ctx,
                                struct config_problem *ret_problem);
/* The text of a file of at most CONFIG_FILE_BYTES_MAX, into *ret_text, which is initialised here, and is the
 * caller's whatever comes of it; one that is larger counts as wrong. */
bool config_file_load(const char *path, struct buf *ret_text, struct config_problem *ret_problem);
bool config_file_read(const char *path, config_entry_fn *take, void *ctx, struct config_problem *ret_problem);

#endif
