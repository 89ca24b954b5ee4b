/* The table of all settings: what --help, docs/CONFIGURATION.md and the parsing of flags, variables and files
 * are made of. */
#ifndef GATEWAY_CONFIG_TABLE_H
#define GATEWAY_CONFIG_TABLE_H

#include "base/view.h"

enum setting_kind {
    KIND_TEXT,     /* char * */
    KIND_BOOL,     /* bool */
    KIND_ANSWER,   /* enum answer */
    KIND_DURATION, /* uint64_t, milliseconds */
    KIND_SIZE,     /* size_t */
    KIND_ADDRESS,  /* struct address */
    KIND_LIST,     /* struct text_list */
    KIND_LEVEL,    /* enum log_level */
    KIND_DO        /* bool: something to do instead of running; a flag only */
};

struct setting {
    const char *name;     /* in the file; behind two dashes the flag */
    const char *variable; /* NULL: a flag only */
    enum setting_kind kind;
    size_t offset;        /* in struct config */
    const char *fallback; /* as text; NULL: none */
    const char *help;     /* half a line */
    const char *detail;   /* whole sentences for CONFIGURATION.md; NULL: none */
    const char *group;    /* heading that begins with this one; NULL: the one before goes on */
    char letter;          /* of a short flag; 0: none */
    bool is_secret;       /* no flag (others can read command lines), and never shown */
    bool is_hidden;       /* not in --help */
};

#define SETTINGS_MAX 96

extern const struct setting config_settings[];
extern const size_t config_settings_count; /* at most SETTINGS_MAX */

/* NULL when there is none of that name. */
const struct setting *setting_by_name(struct view name);
const struct setting *setting_by_letter(char letter);
/* The one that was probably meant, or NULL. Variables' names are looked at too. */
const struct setting *setting_nearest(struct view name);
bool setting_is_flag(const struct setting *setting);
bool setting_is_in_file(const struct setting *setting);
/* "TEXT", "BOOL", …; "" for KIND_DO. */
const char *setting_kind_name(const struct setting *setting);

#endif
