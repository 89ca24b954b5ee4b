/* The table of settings as texts: --help, docs/CONFIGURATION.md (ttf-gateway) and docs/APIGW.md (ttf-apigw).
 */
#include <stdio.h>

#include "config/config.h"

static void print_setting(const struct setting *setting) {
    char left[64] = "    ";
    if (setting->letter) snprintf(left, sizeof(left), "-%c, ", setting->letter);
    size_t used = strlen(left);
    if (setting_is_flag(setting))
        snprintf(left + used, sizeof(left) - used, "--%s %s", setting->name, setting_kind_name(setting));
    else
        snprintf(left + used, sizeof(left) - used, "%s (no flag)", setting->name);
    printf("  %-44s %s\n", left, setting->help);
    if (!setting->variable) return;
    printf("  %-44s [$%s%s%s]\n", "", setting->variable, setting_fallback(setting) ? ", " : "",
           setting_fallback(setting) ? setting_fallback(setting) : "");
}

static const char *const gateway_about =
    "ttf-gateway: the public end of HTTP tunnels. Visitors reach local services through agents (ttf).\n"
    "\n"
    "Usage: ttf-gateway [flags]\n";

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

void config_print_help(void) {
    bool is_gateway = settings_are_of(PROGRAM_GATEWAY);
    fputs(is_gateway ? gateway_about : apigw_about, stdout);
    for (size_t i = 0; i < config_commands_count; i++) print_command(&config_commands[i]);
    printf(
        "\n"
        "Each setting is a flag, an environment variable (in brackets, with the default) or a line of the\n"
        "config file; flags win over variables, variables over the file. docs/%s.md says more.\n"
        "Addresses: host:port, :port (all), loopback:port (127.0.0.1 and ::1); port 0 lets the system "
        "choose.\n\n",
        is_gateway ? "CONFIGURATION" : "APIGW");
    for (size_t i = 0; i < config_settings_count; i++)
        if (setting_is_shown(&config_settings[i])) print_setting(&config_settings[i]);
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

static void print_row(const struct setting *setting, const char *group) {
    if (group) printf("\n## %s\n\n| setting | variable | kind | default | |\n|---|---|---|---|---|\n", group);
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
    const char *group = NULL;
    printf("<!-- Made by `%s --help-markdown` of the table in gateway/config/config_table.c. -->\n"
           "# Configuration of %s\n\n",
           program_name(), program_name());
    fputs(intro, stdout);
    printf(
        "\nThe same as a man page: `%s print man | man -l -`. Completions for shells: `%s print bash`, `zsh` "
        "or `fish`.\n",
        program_name(), program_name());
    for (size_t i = 0; i < config_settings_count; i++) {
        if (config_settings[i].group) group = config_settings[i].group;
        if (!setting_is_shown(&config_settings[i])) continue;
        print_row(&config_settings[i], group);
        group = NULL;
    }
}
