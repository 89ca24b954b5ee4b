/* The table of settings as texts: --help, docs/CONFIGURATION.md (ttf-gateway) and docs/APIGW.md (ttf-apigw).
 */
#include <stdio.h>

#include "base/help.h"
#include "config/config.h"
#include "config/setting_groups.h"

#define COLUMN 34 /* where what a setting means begins */

static void print_setting(const struct setting *setting) {
    const char *fallback = setting_fallback(setting), *kind = setting_kind_name(setting);
    if (setting->kind == KIND_TOPIC) kind = "[GROUP]";
    char letter[5] = "    ", name[64], text[512];
    if (setting->letter) snprintf(letter, sizeof(letter), "-%c, ", setting->letter);
    if (setting_is_flag(setting))
        snprintf(name, sizeof(name), "  %s--%s%s%s", letter, setting->name, *kind ? " " : "", kind);
    else
        snprintf(name, sizeof(name), "  %s%s (no flag)", letter, setting->name);
    snprintf(text, sizeof(text), "%s%s%s%s%s%s", setting->help, setting->variable ? " [$" : "",
             setting->variable ? setting->variable : "", fallback ? ", " : "", fallback ? fallback : "",
             setting->variable ? "]" : "");
    help_put(stdout, name, COLUMN, text);
}

static const char *const gateway_about =
    "ttf-gateway: the public end of HTTP tunnels. Visitors reach local services through agents (ttf).\n"
    "\n"
    "Usage: ttf-gateway [flags]\n"
    "           without any it is for this machine alone: visitors at port 8080, ttf at 8081\n";

static const char *const apigw_about =
    "ttf-apigw: stands in for API Gateway, AWS Lambda and the stream of a DynamoDB table on a developer's\n"
    "machine. It runs any function with a custom runtime (docs/AWS.md).\n"
    "\n"
    "Usage: ttf-apigw --bootstrap PROGRAM --dynamodb-endpoint URL [flags]\n";

static void print_command(const struct setting_command *command) {
    if (command->only != PROGRAM_BOTH && !settings_are_of(command->only)) return;
    printf("       %s %s %s\n           %s\n", program_name(), command->name, command->arguments,
           command->help);
}

static void print_usage(void) {
    bool is_gateway = settings_are_of(PROGRAM_GATEWAY);
    fputs(is_gateway ? gateway_about : apigw_about, stdout);
    for (size_t i = 0; i < config_commands_count; i++) print_command(&config_commands[i]);
    printf(
        "\n"
        "Each setting is a flag, an environment variable (in brackets, with the default) or a line of the\n"
        "config file; flags win over variables, variables over the file. docs/%s.md says more.\n"
        "Addresses: host:port, :port (all), loopback:port (127.0.0.1 and ::1); port 0 lets the system "
        "choose.\n",
        is_gateway ? "CONFIGURATION" : "APIGW");
}

static void print_group(const struct setting *group) {
    printf("\n%s: %s\n", group->group, group->about);
    for (const struct setting *setting = NULL; (setting = setting_next_shown(setting));)
        if (setting_group(setting) == group) print_setting(setting);
}

static void print_usual(void) {
    puts("\nWhat is needed most:");
    for (const struct setting *setting = NULL; (setting = setting_next_shown(setting));)
        if (setting->is_usual) print_setting(setting);
    printf("\nThere is more: %s --help GROUP\n", program_name());
    for (const struct setting *group = NULL; (group = setting_next_group(group));)
        help_put_topic(stdout, group->group, group->about);
    help_put_topic(stdout, HELP_ALL, "everything");
}

static void print_all(void) {
    for (const struct setting *group = NULL; (group = setting_next_group(group));) print_group(group);
}

static const struct setting *group_by_topic(struct view topic) {
    const struct setting *group = NULL;
    while ((group = setting_next_group(group)) && !help_is_topic(group->group, topic)) {
    }
    return group;
}

static int complain_of(const char *topic) {
    char name[HELP_NAME_MAX];
    fprintf(stderr, "%s: --help %.60s: there is no such group, only ", program_name(), topic);
    for (const struct setting *group = NULL; (group = setting_next_group(group));)
        fprintf(stderr, "%s, ", help_name(group->group, name));
    fputs(HELP_ALL "\n", stderr);
    return 2;
}

int config_print_help(const char *topic) {
    bool is_usual = strcmp(topic, HELP_USUAL) == 0, is_all = strcmp(topic, HELP_ALL) == 0;
    const struct setting *group = group_by_topic(view_from_cstr(topic));
    if (!is_usual && !is_all && !group) return complain_of(topic);
    if (group) {
        print_group(group);
        return 0;
    }
    print_usage();
    if (is_all)
        print_all();
    else
        print_usual();
    return 0;
}

/* ---- the documents ---- */

static const char *const intro =
    "Each setting is a flag (`--domain tunnel.example.com`), an environment variable (`DOMAIN_NAME`) or a "
    "line "
    "of a config\n"
    "file (`domain: tunnel.example.com`). Flags win over variables, variables over the file. An unknown flag "
    "or "
    "line, a bad\n"
    "value, a setting said twice and settings that contradict each other end the start with exit code 2 and "
    "one line that\n"
    "says where and why. A variable that is empty counts as unset.\n"
    "\n"
    "The file is named by `--config FILE` or `CONFIG_FILE`. It is YAML, one mapping, at most 64 KiB:\n"
    "\n"
    "```yaml\n"
    "domain: tunnel.example.com\n"
    "public-url: https://tunnel.example.com\n"
    "public-listen: \":8080\"\n"
    "trusted-proxies:\n"
    "  - 10.0.0.0/8\n"
    "  - fd00::/8\n"
    "```\n"
    "\n"
    "| kind | looks like |\n"
    "|---|---|\n"
    "| ADDRESS | `host:port`, `:port` (all addresses), `[::1]:port`, `loopback:port` (127.0.0.1 and ::1); "
    "port "
    "0 lets the system choose |\n"
    "| TIME | `500ms`, `25s`, `5m`, `2h`, `1d`; a bare number counts seconds |\n"
    "| SIZE | `512`, `64KiB`, `2MiB`, `1GiB` |\n"
    "| LIST | `a,b`; in the file also `[a, b]`, or one `- a` a line |\n"
    "| BOOL | `true` or `false`; a flag alone says true |\n"
    "| LEVEL | `error`, `warn`, `info` or `debug` |\n";

static void print_heading(const struct setting *group) {
    printf("\n## %s\n\n| setting | variable | kind | default | |\n|---|---|---|---|---|\n", group->group);
}

static void print_row(const struct setting *setting) {
    printf("| `%s%s` | ", setting_is_in_file(setting) ? "" : "--", setting->name);
    if (setting->variable) printf("`%s`", setting->variable);
    printf(" | %s | ", setting_kind_name(setting));
    if (setting_fallback(setting)) printf("`%s`", setting_fallback(setting));
    printf(" | ");
    for (const char *c = setting->help; *c; c++) printf(*c == '<' ? "&lt;" : "%c", *c);
    if (setting->is_secret) printf(" (no flag: others can read command lines)");
    if (setting->detail) printf(". %s", setting->detail);
    puts(" |");
}

void config_print_markdown(void) {
    printf("<!-- Made by `%s --help-markdown` of the table in gateway/config/config_table.c. -->\n"
           "# Configuration of %s\n\n",
           program_name(), program_name());
    fputs(intro, stdout);
    printf(
        "\nThe same as a man page: `%s print man | man -l -`. Completions for shells: `%s print bash`, `zsh` "
        "or `fish`.\n",
        program_name(), program_name());
    for (const struct setting *group = NULL, *setting = NULL; (setting = setting_next_shown(setting));) {
        if (setting_group(setting) != group) print_heading(group = setting_group(setting));
        print_row(setting);
    }
}
