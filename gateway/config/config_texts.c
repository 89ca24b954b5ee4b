/* See config_texts.h. */
#include "config/config_texts.h"

#include <stdio.h>
#include <string.h>

#include "base/escape.h"
#include "base/help.h"
#include "config/config.h"
#include "config/setting_groups.h"

/* One after another; NULL behind the last. */
static const struct setting *next_flag(const struct setting *setting) {
    while ((setting = setting_next_shown(setting)) && !setting_is_flag(setting)) {
    }
    return setting;
}

static const struct setting_command *next_command(const struct setting_command *command) {
    const struct setting_command *end = config_commands + config_commands_count;
    for (command = command ? command + 1 : config_commands; command < end; command++)
        if (command->only == PROGRAM_BOTH || settings_are_of(command->only)) return command;
    return NULL;
}

/* Of `--help`. */
static const char *topics(void) {
    static char out[256];
    char name[HELP_NAME_MAX];
    size_t used = 0;
    for (const struct setting *group = NULL; (group = setting_next_group(group));)
        used += (size_t)snprintf(out + used, sizeof(out) - used, "%s ", help_name(group->group, name));
    snprintf(out + used, sizeof(out) - used, HELP_ALL);
    return out;
}

/* What may be said, separated by blanks; "": anything. */
static const char *words_of(const struct setting *setting) {
    switch (setting->kind) {
    case KIND_BOOL:
    case KIND_ANSWER: return "true false";
    case KIND_LEVEL: return "error warn info debug";
    case KIND_TOPIC: return topics();
    default: return "";
    }
}

#define TEXTS "bash zsh fish man" /* what `print` may be asked for */

/* ---- bash ---- */

static void bash_value(const struct setting *setting) {
    if (setting->kind == KIND_DO) return;
    printf("    --%s) ", setting->name);
    if (setting->is_path)
        puts("mapfile -t COMPREPLY < <(compgen -f -- \"$word\"); return ;;");
    else if (*words_of(setting))
        printf("words='%s' ;;\n", words_of(setting));
    else
        puts("return ;;");
}

static void print_bash(const char *name) {
    printf("# bash completion for %s\n_%s() {\n"
           "    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} words=''\n"
           "    COMPREPLY=()\n"
           "    [[ $COMP_CWORD -gt 1 ]] || words='",
           name, name);
    for (const struct setting_command *command = NULL; (command = next_command(command));)
        printf("%s ", command->name);
    puts("'\n    [[ $word == -* ]] && before=''\n    case $before in\n    print) words='" TEXTS "' ;;");
    for (const struct setting *setting = NULL; (setting = next_flag(setting));) bash_value(setting);
    printf("    esac\n    [[ $word == -* ]] && words='");
    for (const struct setting *setting = NULL; (setting = next_flag(setting));)
        printf("--%s ", setting->name);
    printf("'\n    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$word\")\n}\ncomplete -F _%s %s\n",
           name, name);
}

/* ---- zsh ---- */

static void zsh_flag(const struct setting *setting) {
    if (setting->letter)
        printf("    '(-%c --%s)'{-%c,--%s}'[", setting->letter, setting->name, setting->letter,
               setting->name);
    else
        printf("    '--%s[", setting->name);
    escape_put_zsh(stdout, setting->help);
    putchar(']');
    if (setting->kind != KIND_DO) {
        printf("%s%s:", setting_may_stand_alone(setting) ? "::" : ":", setting_kind_name(setting));
        if (setting->is_path) fputs("_files", stdout);
        if (*words_of(setting)) printf("(%s)", words_of(setting));
    }
    puts("' \\");
}

static void print_zsh(const char *name) {
    printf("#compdef %s\n_arguments \\\n", name);
    for (const struct setting *setting = NULL; (setting = next_flag(setting));) zsh_flag(setting);
    fputs("    '1:command:((", stdout);
    for (const struct setting_command *command = NULL; (command = next_command(command));) {
        printf("%s\\:\"", command->name);
        escape_put_zsh(stdout, command->help);
        fputs("\" ", stdout);
    }
    puts("))' \\\n    '*:word:'");
}

/* ---- fish ---- */

static void fish_flag(const char *name, const struct setting *setting) {
    printf("complete -c %s -l %s", name, setting->name);
    if (setting->letter) printf(" -s %c", setting->letter);
    if (setting->is_path)
        fputs(" -r -F", stdout);
    else if (setting->kind != KIND_DO)
        fputs(" -x", stdout);
    if (*words_of(setting)) printf(" -a '%s'", words_of(setting));
    fputs(" -d ", stdout);
    escape_put_fish(stdout, setting->help);
    putchar('\n');
}

static void print_fish(const char *name) {
    printf("# fish completion for %s\ncomplete -c %s -f\n", name, name);
    for (const struct setting_command *command = NULL; (command = next_command(command));) {
        printf("complete -c %s -n __fish_use_subcommand -a %s -d ", name, command->name);
        escape_put_fish(stdout, command->help);
        putchar('\n');
    }
    printf("complete -c %s -n '__fish_seen_subcommand_from print' -a '" TEXTS "'\n", name);
    for (const struct setting *setting = NULL; (setting = next_flag(setting));) fish_flag(name, setting);
}

/* ---- man ---- */

static const char *const gateway_intro =
    "The public end of HTTP tunnels. Visitors come to its public port, agents (`ttf`) to its agent port; "
    "each agent makes one connection, through which requests reach its local service. Several gateways that "
    "share a Redis are one.\n";
static const char *const apigw_intro =
    "Stands in for API Gateway, AWS Lambda and the stream of a DynamoDB table on a developer's machine, and "
    "runs any function with a custom runtime.\n";
static const char *const settings_intro =
    "Each is a flag, an environment variable (in brackets, with the default) or a line of the config file, "
    "which `--config` names: YAML, one `name: value` a line. Flags win over variables, variables over the "
    "file. ADDRESS is host:port, :port (all addresses) or loopback:port, port 0 lets the system choose; TIME "
    "is 500ms, 25s, 5m, 2h or 1d; SIZE is 512, 64KiB, 2MiB or 1GiB; LIST is a,b.\n";
static const char *const man_signals =
    ".SH SIGNALS\n.TP\nSIGTERM, SIGINT\nStop, when what runs is answered; a second one stops at once.\n";
static const char *const man_gateway_signals =
    ".TP\nSIGUSR2\nThe program that is installed now, with the settings of now, takes over the open ports; "
    "this "
    "one finishes what runs and ends. Where the new one does not start, nothing has happened. Not for the "
    "first process of a container.\n"
    ".TP\nSIGHUP\nOpen the access log anew.\n";
static const char *const man_end =
    ".SH EXIT STATUS\n0: stopped by a signal; or what was asked for is well. 1: it could not run. 2: what "
    "was said makes no sense; one line on standard error says why.\n";

static void man_name(const struct setting *setting) {
    fputs(".TP\n", stdout);
    if (setting->letter) printf("\\fB\\-%c\\fR, ", setting->letter);
    fputs(setting_is_flag(setting) ? "\\fB\\-\\-" : "\\fB", stdout);
    escape_put_man(stdout, setting->name);
    fputs(setting_is_flag(setting) ? "\\fR" : ":\\fR", stdout);
    printf(" \\fI%s\\fR\n", setting_kind_name(setting));
}

/* A list may be broken behind each comma. */
static void man_fallback(const char *text) {
    for (const char *comma; (comma = strchr(text, ',')); text = comma + 1) {
        char item[128];
        snprintf(item, sizeof(item), "%.*s,", (int)(comma - text), text);
        escape_put_man(stdout, item);
        fputs("\\:", stdout);
    }
    escape_put_man(stdout, text);
}

static void man_setting(const struct setting *setting) {
    if (setting->group) printf(".SS %s\n", setting->group);
    if (!setting_is_shown(setting)) return;
    man_name(setting);
    escape_put_man_markdown(stdout, setting->help);
    puts(".");
    if (setting->is_secret) puts("No flag: others can read command lines.");
    if (setting->detail) {
        escape_put_man_markdown(stdout, setting->detail);
        putchar('\n');
    }
    if (!setting->variable) return;
    printf("[\\fB%s\\fR", setting->variable);
    if (setting_fallback(setting)) {
        fputs(", ", stdout);
        man_fallback(setting_fallback(setting));
    }
    puts("]");
}

static void man_synopsis(const char *name) {
    fputs(".SH SYNOPSIS\n\\fB", stdout);
    escape_put_man(stdout, name);
    puts("\\fR [\\fIflags\\fR]");
    for (const struct setting_command *command = NULL; (command = next_command(command));) {
        fputs(".br\n\\fB", stdout);
        escape_put_man(stdout, name);
        printf("\\fR \\fB%s\\fR ", command->name);
        escape_put_man(stdout, command->arguments);
        putchar('\n');
    }
}

static void print_man(const char *name) {
    bool is_gateway = settings_are_of(PROGRAM_GATEWAY);
    printf(".TH %s 8 \"\" \"%s " TTF_VERSION "\"\n.ad l\n.SH NAME\n",
           is_gateway ? "TTF\\-GATEWAY" : "TTF\\-APIGW", name);
    escape_put_man(stdout, name);
    puts(is_gateway ? " \\- the public end of HTTP tunnels"
                    : " \\- stands in for API Gateway and AWS Lambda");
    man_synopsis(name);
    puts(".SH DESCRIPTION");
    escape_put_man_markdown(stdout, is_gateway ? gateway_intro : apigw_intro);
    puts(".SH COMMANDS");
    for (const struct setting_command *command = NULL; (command = next_command(command));)
        printf(".TP\n\\fB%s\\fR\n%s\n", command->name, command->help);
    puts(".SH SETTINGS");
    escape_put_man_markdown(stdout, settings_intro);
    for (size_t i = 0; i < config_settings_count; i++) man_setting(&config_settings[i]);
    fputs(man_signals, stdout);
    if (is_gateway) fputs(man_gateway_signals, stdout);
    fputs(man_end, stdout);
    if (is_gateway)
        puts(".SH FILES\n.TP\n/etc/ttf\\-gateway/config.yaml\nWhat the Debian package's service reads.");
    puts(".SH SEE ALSO\n\\fBttf\\fR(1)");
}

int config_texts_command(int argc, char **argv) {
    static const struct {
        const char *name;
        void (*print)(const char *name);
    } texts[] = {{"bash", print_bash}, {"zsh", print_zsh}, {"fish", print_fish}, {"man", print_man}};
    for (size_t i = 0; argc == 2 && i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (strcmp(argv[1], texts[i].name) != 0) continue;
        texts[i].print(program_name());
        return 0;
    }
    fprintf(stderr, "%s print wants one of bash, zsh, fish, man\n", program_name());
    return 2;
}
