/* The table of all settings of ttf: what the command line, ttf.yaml and --help are made of. */
#ifndef FORWARDER_OPTION_TABLE_H
#define FORWARDER_OPTION_TABLE_H

#include "base/view.h"

enum option_kind {
    OPTION_FLAG,   /* bool; in a file true or false */
    OPTION_TEXT,   /* const char *, not empty */
    OPTION_NUMBER, /* long, from `min` to `max` */
    OPTION_SERVICE /* a service_word, which fills several members of struct tunnel_options */
};

/* Where else than on the command line it may stand. */
enum option_place {
    PLACE_LINE,   /* nowhere */
    PLACE_FILE,   /* in ttf.yaml, once for all tunnels */
    PLACE_TUNNEL, /* in a tunnel's section of ttf.yaml */
    PLACE_SECTION /* there alone: no flag */
};

/* In the order of the table. */
enum option_group {
    GROUP_SERVICE,
    GROUP_GATEWAY,
    GROUP_URL,
    GROUP_VISITORS,
    GROUP_INSPECTOR,
    GROUP_PROGRAM,
    OPTION_GROUPS
};

/* What stands over a group; its first word is its topic (base/help.h). */
struct option_heading {
    const char *name, *about;
};

extern const struct option_heading option_headings[OPTION_GROUPS];

struct option_row {
    char letter; /* 0: none */
    const char *name, *argument, *variable, *help;
    enum option_kind kind;
    enum option_place place;
    size_t member; /* in struct options; a tunnel's are in its `tunnel` */
    long min, max;
    enum option_group group;
    bool is_usual; /* among the first to be told of */
};

#define OPTION_ROWS_MAX 64 /* which of them were said is kept in bits of 64 (agent_file.c) */
extern const struct option_row option_rows[];
extern const size_t option_rows_count;

#define COMMAND_WORDS_MAX 64

/* What may stand as the first word. */
struct command_row {
    const char *name, *arguments, *help;
    size_t words_max;    /* behind it */
    const char *details; /* what `ttf NAME --help` says beyond; NULL: nothing of its own */
};

extern const struct command_row command_rows[];
extern const size_t command_rows_count;

static inline bool option_is_flag(const struct option_row *row) {
    return row->place != PLACE_SECTION;
}
static inline bool option_is_of_tunnel(const struct option_row *row) {
    return row->place == PLACE_TUNNEL || row->place == PLACE_SECTION;
}

/* NULL: there is none. */
const struct option_row *option_by_name(struct view name);
const struct option_row *option_by_letter(char letter);

/* Which of them are meant. */
typedef bool option_test_fn(const struct option_row *row);
/* The one that was probably meant; NULL: none is near. */
const struct option_row *option_nearest(struct view name, option_test_fn *is_meant);

/* Puts a value (borrowed; NULL for a flag: true) into its member; not for OPTION_SERVICE. `source` is what it
 * is called in `error`. */
bool option_store(const struct option_row *row, void *member, const char *value, const char *source,
                  char *error, size_t error_size);

#endif
