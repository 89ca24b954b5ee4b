#include "options.h"

#include <stdio.h>
#include <stdlib.h>

#include "folder/folder.h"
#include "habits.h"
#include "http/chars.h"
#include "token.h"

struct parser {
    struct options *options;
    bool has_service;
    size_t words_max; /* behind the command */
    char *error;
    size_t error_size;
};

static bool option_is_flag_row(const struct option_row *row) {
    return option_is_flag(row);
}

static bool unknown_option(struct parser *parser, const char *argument) {
    struct view name = view_from_cstr(argument);
    while (name.len && name.ptr[0] == '-') name = view_skip(name, 1);
    name = view_slice(name, 0, view_find(name, '='));
    const char *habit = habit_of_option(name);
    const struct option_row *near = habit ? NULL : option_nearest(name, option_is_flag_row);
    if (habit)
        snprintf(parser->error, parser->error_size, "unknown option '%.100s' (here it is %s)", argument,
                 habit);
    else if (near)
        snprintf(parser->error, parser->error_size, "unknown option '%.100s' (did you mean --%s?)", argument,
                 near->name);
    else
        snprintf(parser->error, parser->error_size, "unknown option '%.100s' (ttf --help all lists them)",
                 argument);
    return false;
}

/* A first word that is no service, but that people know from elsewhere, or nearly a command. */
static bool is_explained(struct parser *parser, const char *word) {
    struct view text = view_from_cstr(word);
    const char *habit = habit_of_word(text), *near = habit ? NULL : habit_nearest_command(text);
    if (habit)
        snprintf(parser->error, parser->error_size, "unexpected '%s': %s", word, habit);
    else if (near && http_is_visible(text))
        snprintf(parser->error, parser->error_size, "unexpected '%.100s' (did you mean ttf %s?)", word, near);
    return habit || (near && http_is_visible(text));
}

static bool take_service(struct parser *parser, const char *word) {
    const char *wrong = NULL, *twice = parser->has_service ? "a second service" : NULL;
    if (strncmp(word, "ws://", 5) == 0 || strncmp(word, "wss://", 6) == 0) {
        snprintf(parser->error, parser->error_size, "unexpected '%.100s' (did you mean --endpoint %.100s?)",
                 word, word);
        return false;
    }
    wrong = twice ? twice : service_word_parse(word, &parser->options->service);
    parser->has_service = parser->options->describes_tunnel = true;
    if (!wrong) return true;
    bool is_shown = http_is_visible(view_from_cstr(word));
    bool is_folder = !twice && folder_check(word, parser->error, parser->error_size);
    if (!twice && !is_folder && is_explained(parser, word)) return false;
    snprintf(parser->error, parser->error_size, "unexpected '%.100s'%s%.100s%s", is_shown ? word : "...",
             is_folder ? " (did you mean the folder, ./" : ": ",
             is_folder ? (is_shown ? word : "...") : wrong, is_folder ? "?)" : "");
    return false;
}

static bool take_word(struct parser *parser, const char *word) {
    struct options *options = parser->options;
    for (size_t i = 0; i < command_rows_count && !options->command && !parser->has_service; i++)
        if (strcmp(word, command_rows[i].name) == 0) {
            options->command = command_rows[i].name;
            parser->words_max = command_rows[i].words_max;
            return true;
        }
    if (options->help && !options->topic && !options->command) {
        options->topic = word;
        return true;
    }
    bool is_doctor = options->command && strcmp(options->command, "doctor") == 0;
    if (!options->command || is_doctor) return take_service(parser, word);
    if (options->word_count < parser->words_max) {
        options->words[options->word_count++] = word;
        return true;
    }
    snprintf(parser->error, parser->error_size, "ttf %s: '%.100s' is one word too many", options->command,
             http_is_visible(view_from_cstr(word)) ? word : "...");
    return false;
}

/* What the word says takes the place of the flags, which therefore may not be there too. */
static bool apply_service(struct parser *parser) {
    struct options *options = parser->options;
    const struct service_word *service = &options->service;
    if (options->tunnel.port && options->tunnel.unix_path) {
        snprintf(parser->error, parser->error_size,
                 "where the service is was said twice: as --port and as --unix");
        return false;
    }
    if (!parser->has_service) return true;
    if (options->tunnel.port || options->tunnel.host || options->tunnel.unix_path) {
        snprintf(parser->error, parser->error_size,
                 "where the service is was said twice: as %s and as a word",
                 options->tunnel.port   ? "--port"
                 : options->tunnel.host ? "--host"
                                        : "--unix");
        return false;
    }
    options->tunnel.port = service->port;
    options->tunnel.host = service->host[0] ? service->host : NULL;
    options->tunnel.unix_path = service->unix_path;
    options->tunnel.folder = service->folder;
    if (service->https) options->tunnel.local_https = true;
    return true;
}

static bool store(struct parser *parser, const struct option_row *row, const char *value,
                  const char *source) {
    void *member = (char *)parser->options + row->member;
    bool is_of_tunnel = row->member >= offsetof(struct options, tunnel) &&
                        row->member < offsetof(struct options, tunnel) + sizeof(struct tunnel_options);
    if (is_of_tunnel) parser->options->describes_tunnel = true;
    return option_store(row, member, value, source, parser->error, parser->error_size);
}

/* The value of an option: what is attached, or the next word, which *index then moves to. */
static bool take_value(struct parser *parser, const struct option_row *row, const char *attached, int argc,
                       char *const argv[], int *index) {
    char source[40];
    snprintf(source, sizeof(source), "--%s", row->name);
    if (attached) return store(parser, row, attached, source);
    if (*index + 1 >= argc) {
        snprintf(parser->error, parser->error_size, "--%s wants a %s", row->name, row->argument);
        return false;
    }
    return store(parser, row, argv[++*index], source);
}

static bool parse_long(struct parser *parser, int argc, char *const argv[], int *index) {
    const char *argument = argv[*index];
    struct view name = view_from_cstr(argument + 2);
    size_t equals = view_find(name, '=');
    const char *attached = equals < name.len ? name.ptr + equals + 1 : NULL;
    const struct option_row *row = option_by_name(view_slice(name, 0, equals));
    if (!row || !option_is_flag(row)) return unknown_option(parser, argument);
    if (row->kind != OPTION_FLAG) return take_value(parser, row, attached, argc, argv, index);
    bool is_help = row->member == offsetof(struct options, help);
    if (attached && is_help) parser->options->topic = attached;
    if (!attached || is_help) return store(parser, row, NULL, NULL);
    snprintf(parser->error, parser->error_size, "--%s takes no value", row->name);
    return false;
}

/* "-v", "-p 3000", "-p3000", "-vp3000". */
static bool parse_letters(struct parser *parser, int argc, char *const argv[], int *index) {
    const char *argument = argv[*index];
    for (const char *letter = argument + 1; *letter; letter++) {
        const struct option_row *row = option_by_letter(*letter);
        if (!row) return unknown_option(parser, argument);
        if (row->kind != OPTION_FLAG)
            return take_value(parser, row, letter[1] ? letter + 1 : NULL, argc, argv, index);
        store(parser, row, NULL, NULL);
    }
    return true;
}

/* What no `.env` may say. */
static bool is_of_environment(const struct option_row *row) {
    return row->member == offsetof(struct options, token_file) ||
           row->member == offsetof(struct options, token_command) ||
           row->member == offsetof(struct options, inspect);
}

static bool parse_variables(struct parser *parser, const struct dotenv *dotenv) {
    for (size_t i = 0; i < option_rows_count; i++) {
        const char *variable = option_rows[i].variable;
        const char *value = !variable                            ? NULL
                            : is_of_environment(&option_rows[i]) ? getenv(variable)
                                                                 : dotenv_lookup(dotenv, variable);
        if (value && !store(parser, &option_rows[i], value, option_rows[i].variable)) return false;
    }
    return true;
}

/* "[::1]" as in URLs. */
static void take_brackets_off(struct options *options) {
    struct view host = view_from_cstr(options->tunnel.host);
    if (!view_starts_with(host, VIEW("[")) || !view_ends_with(host, VIEW("]")) || host.len < 3) return;
    if (view_copy_to(view_slice(host, 1, host.len - 1), options->bare_host, sizeof(options->bare_host)) &&
        strchr(options->bare_host, ':'))
        options->tunnel.host = options->bare_host;
}

static bool check(struct parser *parser) {
    const struct options *options = parser->options;
    if (!tunnel_options_check(&options->tunnel, "--", parser->error, parser->error_size)) return false;
    if (!options->token || token_is_sane(options->token)) return true;
    snprintf(parser->error, parser->error_size,
             "the token has a space or a byte that no token may have, or is longer than 8192 bytes");
    return false;
}

/* The file's own string is the one that won. */
static bool is_of_file(const struct dotenv *dotenv, const char *variable, const char *value) {
    return value && value == dotenv_get(dotenv, variable);
}

/* How much it counts that a way to a token was said where it was. */
enum token_rank { RANK_NONE, RANK_DOTENV, RANK_ENVIRONMENT, RANK_TOGETHER, RANK_FLAG };

/* One of the ways to say it. */
struct token_way {
    const char *flag, *variable;
    size_t member; /* in struct options */
};

static const struct token_way token_ways[] = {
    {"--token", "TTF_TOKEN", offsetof(struct options, token)},
    {"--token-file", "TTF_TOKEN_FILE", offsetof(struct options, token_file)},
    {"--token-command", "TTF_TOKEN_COMMAND", offsetof(struct options, token_command)},
};
#define TOKEN_WAYS (sizeof(token_ways) / sizeof(token_ways[0]))

static const char **said_by(struct options *options, const struct token_way *way) {
    return (const char **)(void *)((char *)options + way->member);
}

/* A flag wins over the environment, the environment over `.env`; but what `.env` names belongs together. */
static enum token_rank rank_of(struct options *options, const struct token_way *way,
                               const struct dotenv *dotenv, const struct options *variables) {
    const char *value = *said_by(options, way);
    struct options before = *variables;
    if (!value) return RANK_NONE;
    if (value != *said_by(&before, way)) return RANK_FLAG;
    if (!is_of_file(dotenv, way->variable, value)) return RANK_ENVIRONMENT;
    return is_of_file(dotenv, "TTF_ENDPOINT", options->endpoint) ? RANK_TOGETHER : RANK_DOTENV;
}

/* Leaves one way at most. */
static bool choose_token(struct parser *parser, const struct dotenv *dotenv,
                         const struct options *variables) {
    struct options *options = parser->options;
    const struct token_way *best = NULL;
    enum token_rank most = RANK_NONE;
    options->token_is_of_line = options->token && options->token != variables->token;
    for (size_t i = 0; i < TOKEN_WAYS; i++) {
        const struct token_way *way = &token_ways[i];
        enum token_rank rank = rank_of(options, way, dotenv, variables);
        if (rank == RANK_NONE) continue;
        if (rank == most) {
            bool by_flag = rank == RANK_FLAG;
            snprintf(parser->error, parser->error_size, "the token was said twice: as %s and as %s",
                     by_flag ? best->flag : best->variable, by_flag ? way->flag : way->variable);
            return false;
        }
        if (best) *said_by(options, rank > most ? best : way) = NULL;
        if (rank < most) continue;
        best = way;
        most = rank;
    }
    return true;
}

/* Of a variable, which may be there for other tunnels, it is no mistake. */
static bool is_by_flag(const char *value, const char *variable) {
    return value && value != variable;
}

/* What others would be let in by, or not, because it was not seen that it says nothing. */
static bool check_rules(struct parser *parser, const struct tunnel_options *variables) {
    const struct tunnel_options *said = &parser->options->tunnel;
    const char *why = NULL;
    if (is_by_flag(said->webhook_secret, variables->webhook_secret) && !said->verify_webhook)
        why = "--webhook-secret wants --verify-webhook, too: without it every request comes in";
    else if (is_by_flag(said->webhook_secret, variables->webhook_secret) && said->webhook_secret_file)
        why = "the secret was said twice: as --webhook-secret and as --webhook-secret-file";
    else if (is_by_flag(said->password, variables->password) && said->password_file)
        why = "the password was said twice: as --password and as --password-file";
    if (why) snprintf(parser->error, parser->error_size, "%s", why);
    return !why;
}

static void withhold_token(struct options *options, const struct dotenv *dotenv) {
    options->endpoint_is_of_file = is_of_file(dotenv, "TTF_ENDPOINT", options->endpoint);
    if (!options->endpoint_is_of_file || !options_say_token(options)) return;
    if (is_of_file(dotenv, "TTF_TOKEN", options->token)) return;
    options->token_withheld = true;
    options->token = options->token_file = options->token_command = NULL;
}

bool options_parse(struct options *ret_options, int argc, char *const argv[], const struct dotenv *dotenv,
                   char *error, size_t error_size) {
    *ret_options = (struct options){0};
    struct parser parser = {.options = ret_options, .error = error, .error_size = error_size};
    if (!parse_variables(&parser, dotenv)) return false;
    struct options variables = *ret_options;
    for (int i = 1; i < argc; i++) {
        const char *argument = argv[i];
        bool ok;
        if (argument[0] != '-' || !argument[1])
            ok = take_word(&parser, argument);
        else if (argument[1] == '-')
            ok = parse_long(&parser, argc, argv, &i);
        else
            ok = parse_letters(&parser, argc, argv, &i);
        if (!ok) return false;
    }
    if (!apply_service(&parser)) return false;
    tunnel_options_complete(&ret_options->tunnel);
    take_brackets_off(ret_options);
    bool runs = !ret_options->help && !ret_options->version;
    if (runs && (!check_rules(&parser, &variables.tunnel) || !check(&parser))) return false;
    if (!choose_token(&parser, dotenv, &variables)) return false;
    withhold_token(ret_options, dotenv);
    return true;
}
