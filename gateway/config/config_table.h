/* The table of all settings of ttf-gateway and ttf-apigw: what --help, man pages, completions,
 * docs/CONFIGURATION.md, docs/APIGW.md and the parsing of flags, variables and files are made of. */
#ifndef GATEWAY_CONFIG_TABLE_H
#define GATEWAY_CONFIG_TABLE_H

#include "base/view.h"

/* Whose settings count in this process. */
enum program {
    PROGRAM_BOTH, /* of a setting: either program has it */
    PROGRAM_GATEWAY,
    PROGRAM_APIGW
};

enum setting_kind {
    KIND_TEXT,     /* char * */
    KIND_BOOL,     /* bool */
    KIND_ANSWER,   /* enum answer */
    KIND_DURATION, /* uint64_t, milliseconds */
    KIND_SIZE,     /* size_t */
    KIND_ADDRESS,  /* struct listen_address */
    KIND_LIST,     /* struct text_list */
    KIND_LEVEL,    /* enum log_level */
    KIND_TOPIC,    /* char *: what to tell instead of running; a flag only, alone HELP_USUAL */
    KIND_DO        /* bool: something to do instead of running; a flag only */
};

struct setting {
    const char *name;     /* in the file; behind two dashes the flag */
    const char *variable; /* NULL: a flag only */
    enum setting_kind kind;
    size_t offset;              /* in struct config */
    const char *fallback;       /* as text; NULL: none */
    const char *fallback_apigw; /* of ttf-apigw, where that is another one */
    const char *help;           /* half a line */
    const char *detail;         /* whole sentences for CONFIGURATION.md; NULL: none */
    const char *group;          /* heading that begins with this one; NULL: the one before goes on */
    const char *about;          /* of that group, for people who look for one */
    enum program only;          /* the one program that has it */
    char letter;                /* of a short flag; 0: none */
    bool is_secret;             /* no flag (others can read command lines), and never shown */
    bool is_hidden;             /* in no text for people */
    bool is_usual;              /* among the first to be told of */
    bool is_path;               /* a file or a folder, which shells complete */
};

/* What may stand as the first word instead of flags. */
struct setting_command {
    const char *name, *arguments, *help;
    enum program only;
};

extern const struct setting_command config_commands[];
extern const size_t config_commands_count;

#define SETTINGS_MAX 160

extern const struct setting config_settings[];
extern const size_t config_settings_count; /* at most SETTINGS_MAX */

/* First of all in main(). Without it this is ttf-gateway. */
void settings_choose(enum program program);
bool settings_are_of(enum program program);
/* "ttf-gateway" or "ttf-apigw". */
const char *program_name(void);
/* The name of the program that this one is not. */
const char *program_other_name(void);
/* Whether this program has it. */
bool setting_applies(const struct setting *setting);
/* As text, with this program; NULL: none. */
const char *setting_fallback(const struct setting *setting);

/* Of this program; NULL when there is none of that name. */
const struct setting *setting_by_name(struct view name);
const struct setting *setting_by_letter(char letter);
/* Whether only the other program has one of that name. */
bool setting_is_of_other(struct view name);
/* The one that was probably meant, or NULL. Variables' names are looked at too. */
const struct setting *setting_nearest(struct view name);
/* Whether texts for people tell of it: this program's, and not hidden. */
bool setting_is_shown(const struct setting *setting);
bool setting_is_flag(const struct setting *setting);
bool setting_is_in_file(const struct setting *setting);
/* A flag that may stand without a value. */
bool setting_may_stand_alone(const struct setting *setting);
/* "TEXT", "BOOL", …; "" for KIND_DO. */
const char *setting_kind_name(const struct setting *setting);

#endif
