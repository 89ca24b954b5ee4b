#include "options.h"

#include "base/edits.h"

#include <stdlib.h>

#include "http/chars.h"
#include "token.h"

enum option_kind { OPTION_FLAG, OPTION_TEXT, OPTION_NUMBER };

struct option_row {
    char letter; /* 0: none */
    const char *name, *argument, *variable, *help;
    enum option_kind kind;
    size_t member;
    long min, max;
};

#define MEMBER(name) offsetof(struct options, name)

static const struct option_row rows[] = {
    {'e', "endpoint", "URL", "TTF_ENDPOINT", "gateway to connect to (default: " OPTIONS_DEFAULT_ENDPOINT ")",
     OPTION_TEXT, MEMBER(endpoint), 0, 0},
    {'p', "port", "PORT", NULL, "port of the local service (default: 3000)", OPTION_NUMBER,
     MEMBER(tunnel.port), 1, 65535},
    {0, "host", "HOST", NULL, "host of the local service (default: localhost, on IPv4 and IPv6)", OPTION_TEXT,
     MEMBER(tunnel.host), 0, 0},
    {'t', "token", "TOKEN", "TTF_TOKEN", "token that the gateway asks for", OPTION_TEXT, MEMBER(token), 0, 0},
    {0, "token-file", "FILE", "TTF_TOKEN_FILE", "file that holds the token; read again for each connection",
     OPTION_TEXT, MEMBER(token_file), 0, 0},
    {'n', "name", "NAME", NULL, "name to ask for, the first label of the public URL", OPTION_TEXT,
     MEMBER(tunnel.name), 0, 0},
    {'v', "verbose", NULL, NULL, "tell on standard error what goes on", OPTION_FLAG, MEMBER(verbose), 0, 0},
    {0, "connect-timeout", "SECONDS", NULL, "time to reach the gateway (default: 10)", OPTION_NUMBER,
     MEMBER(connect_timeout_s), 1, 3600},
    {0, "request-timeout", "SECONDS", NULL,
     "time the local service may take to answer (default: 60, on AWS 25)", OPTION_NUMBER,
     MEMBER(tunnel.request_timeout_s), 1, 3600},
    {0, "host-header", "HOW", NULL,
     "Host that the service sees: preserve (the visitor's, default), rewrite (its own) or a value",
     OPTION_TEXT, MEMBER(tunnel.host_header), 0, 0},
    {0, "rewrite", "HOW", NULL,
     "path mode: links in bodies get the prefix: on (default), off, or json (in any JSON too)", OPTION_TEXT,
     MEMBER(tunnel.rewrite), 0, 0},
    {0, "no-hints", NULL, NULL,
     "no hints about refused hosts, and no second try of a refused GET with the service's own host",
     OPTION_FLAG, MEMBER(tunnel.no_hints), 0, 0},
    {0, "local-https", NULL, NULL, "the local service speaks https (any certificate will do)", OPTION_FLAG,
     MEMBER(tunnel.local_https), 0, 0},
    {0, "unix", "PATH", NULL, "the local service listens on a unix socket", OPTION_TEXT,
     MEMBER(tunnel.unix_path), 0, 0},
    {0, "ca-file", "FILE", NULL, "trust these certificates too (PEM) for wss://", OPTION_TEXT,
     MEMBER(ca_file), 0, 0},
    {0, "proxy", "URL", NULL,
     "the way to the gateway: http:// or socks5://[user:password@]host:port, or off (default: HTTPS_PROXY, "
     "HTTP_PROXY, ALL_PROXY, NO_PROXY)",
     OPTION_TEXT, MEMBER(proxy), 0, 0},
    {0, "log", "HOW", NULL,
     "how requests are shown: plain (lines) or json (an object a line) instead of the display that a "
     "terminal "
     "gets; which: all, pages (what they load is summed up) or errors; both with a comma",
     OPTION_TEXT, MEMBER(log), 0, 0},
    {0, "health", NULL, NULL, "ask by the exit code whether the tunnels of this user are up", OPTION_FLAG,
     MEMBER(health), 0, 0},
    {'h', "help", NULL, NULL, "show this text", OPTION_FLAG, MEMBER(help), 0, 0},
    {'V', "version", NULL, NULL, "show the version", OPTION_FLAG, MEMBER(version), 0, 0},
};
#define ROW_COUNT (sizeof(rows) / sizeof(rows[0]))

struct parser {
    struct options *options;
    bool has_service;
    char *error;
    size_t error_size;
};

void options_help(FILE *out) {
    fputs("Usage: ttf [OPTIONS] [SERVICE]\n\n"
          "Gives a local web service a public URL, through a tunnel gateway.\n\n"
          "SERVICE is where it listens: a port, host:port, http(s)://host:port or unix:/path (default: "
          "3000).\n\n"
          "Options:\n",
          out);
    for (size_t i = 0; i < ROW_COUNT; i++) {
        char left[64];
        const struct option_row *row = &rows[i];
        char letter[5] = "    ";
        if (row->letter) snprintf(letter, sizeof(letter), "-%c, ", row->letter);
        snprintf(left, sizeof(left), "%s--%s%s%s", letter, row->name, row->argument ? " " : "",
                 row->argument ? row->argument : "");
        fprintf(out, "  %-30s %s%s%s%s\n", left, row->help, row->variable ? " [" : "",
                row->variable ? row->variable : "", row->variable ? "]" : "");
    }
    fputs("\nThe variables are also read from a .env file in the working directory.\n"
          "Example: ttf 3000 --endpoint wss://tunnel.example.com\n",
          out);
}

static const struct option_row *nearest_row(struct view name) {
    const struct option_row *nearest = NULL;
    size_t least = 3;
    for (size_t i = 0; i < ROW_COUNT && name.len; i++) {
        struct view candidate = view_from_cstr(rows[i].name);
        size_t edits = view_starts_with(candidate, name) || view_starts_with(name, candidate)
                           ? 1
                           : edit_distance(name, candidate);
        if (edits >= least) continue;
        least = edits;
        nearest = &rows[i];
    }
    return nearest;
}

static bool unknown_option(struct parser *parser, const char *argument) {
    struct view name = view_from_cstr(argument);
    while (name.len && name.ptr[0] == '-') name = view_skip(name, 1);
    name = view_slice(name, 0, view_find(name, '='));
    const struct option_row *near = nearest_row(name);
    if (near)
        snprintf(parser->error, parser->error_size, "unknown option '%.100s' (did you mean --%s?)", argument,
                 near->name);
    else
        snprintf(parser->error, parser->error_size, "unknown option '%.100s' (ttf --help lists them)",
                 argument);
    return false;
}

static bool take_service(struct parser *parser, const char *word) {
    const char *wrong = NULL, *twice = parser->has_service ? "a second service" : NULL;
    if (strncmp(word, "ws://", 5) == 0 || strncmp(word, "wss://", 6) == 0) {
        snprintf(parser->error, parser->error_size, "unexpected '%.100s' (did you mean --endpoint %.100s?)",
                 word, word);
        return false;
    }
    wrong = twice ? twice : service_word_parse(word, &parser->options->service);
    parser->has_service = true;
    if (wrong)
        snprintf(parser->error, parser->error_size, "unexpected '%.100s': %s",
                 http_is_visible(view_from_cstr(word)) ? word : "...", wrong);
    return !wrong;
}

/* What the word says takes the place of the flags, which therefore may not be there too. */
static bool apply_service(struct parser *parser) {
    struct options *options = parser->options;
    const struct service_word *service = &options->service;
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
    if (service->https) options->tunnel.local_https = true;
    return true;
}

static bool store(struct parser *parser, const struct option_row *row, const char *value,
                  const char *source) {
    void *member = (char *)parser->options + row->member;
    if (row->kind == OPTION_FLAG) {
        *(bool *)member = true;
        return true;
    }
    if (row->kind == OPTION_TEXT) {
        if (*value) {
            *(const char **)member = value;
            return true;
        }
        snprintf(parser->error, parser->error_size, "%s is empty (it wants a %s)", source, row->argument);
        return false;
    }
    uint64_t number;
    if (view_parse_u64(view_from_cstr(value), &number) && number >= (uint64_t)row->min &&
        number <= (uint64_t)row->max) {
        *(long *)member = (long)number;
        return true;
    }
    snprintf(parser->error, parser->error_size, "%s: '%.60s' is not a number from %ld to %ld", source, value,
             row->min, row->max);
    return false;
}

static const struct option_row *row_by_name(struct view name) {
    for (size_t i = 0; i < ROW_COUNT; i++)
        if (view_eq(name, view_from_cstr(rows[i].name))) return &rows[i];
    return NULL;
}

static const struct option_row *row_by_letter(char letter) {
    for (size_t i = 0; i < ROW_COUNT; i++)
        if (rows[i].letter && rows[i].letter == letter) return &rows[i];
    return NULL;
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
    const struct option_row *row = row_by_name(view_slice(name, 0, equals));
    if (!row) return unknown_option(parser, argument);
    if (row->kind != OPTION_FLAG) return take_value(parser, row, attached, argc, argv, index);
    if (!attached) return store(parser, row, NULL, NULL);
    snprintf(parser->error, parser->error_size, "--%s takes no value", row->name);
    return false;
}

/* "-v", "-p 3000", "-p3000", "-vp3000". */
static bool parse_letters(struct parser *parser, int argc, char *const argv[], int *index) {
    const char *argument = argv[*index];
    for (const char *letter = argument + 1; *letter; letter++) {
        const struct option_row *row = row_by_letter(*letter);
        if (!row) return unknown_option(parser, argument);
        if (row->kind != OPTION_FLAG)
            return take_value(parser, row, letter[1] ? letter + 1 : NULL, argc, argv, index);
        store(parser, row, NULL, NULL);
    }
    return true;
}

static bool parse_variables(struct parser *parser, const struct dotenv *dotenv) {
    for (size_t i = 0; i < ROW_COUNT; i++) {
        const char *value = !rows[i].variable                      ? NULL
                            : rows[i].member == MEMBER(token_file) ? getenv(rows[i].variable)
                                                                   : dotenv_lookup(dotenv, rows[i].variable);
        if (value && !store(parser, &rows[i], value, rows[i].variable)) return false;
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

/* A flag wins over the environment, the environment over `.env`; but what `.env` names belongs together. */
static bool choose_token(struct parser *parser, const struct dotenv *dotenv,
                         const struct options *variables) {
    struct options *options = parser->options;
    if (!options->token || !options->token_file) return true;
    bool by_flag = options->token != variables->token,
         file_by_flag = options->token_file != variables->token_file;
    bool of_file = is_of_file(dotenv, "TTF_TOKEN", options->token);
    if (by_flag == file_by_flag && !of_file) {
        snprintf(parser->error, parser->error_size, "the token was said twice: as %s and as %s",
                 by_flag ? "--token" : "TTF_TOKEN", by_flag ? "--token-file" : "TTF_TOKEN_FILE");
        return false;
    }
    bool takes_file = file_by_flag || (of_file && !is_of_file(dotenv, "TTF_ENDPOINT", options->endpoint));
    if (takes_file && !by_flag)
        options->token = NULL;
    else
        options->token_file = NULL;
    return true;
}

static void withhold_token(struct options *options, const struct dotenv *dotenv) {
    options->endpoint_is_of_file = is_of_file(dotenv, "TTF_ENDPOINT", options->endpoint);
    if (!options->endpoint_is_of_file) return;
    bool is_users = options->token && !is_of_file(dotenv, "TTF_TOKEN", options->token);
    if (!is_users && !options->token_file) return;
    options->token_withheld = true;
    options->token_file = NULL;
    if (is_users) options->token = NULL;
}

bool options_parse(struct options *ret_options, int argc, char *const argv[], const struct dotenv *dotenv,
                   char *error, size_t error_size) {
    *ret_options = (struct options){.connect_timeout_s = 10};
    struct parser parser = {.options = ret_options, .error = error, .error_size = error_size};
    if (!parse_variables(&parser, dotenv)) return false;
    struct options variables = *ret_options;
    for (int i = 1; i < argc; i++) {
        const char *argument = argv[i];
        bool ok;
        if (argument[0] != '-' || !argument[1])
            ok = take_service(&parser, argument);
        else if (argument[1] == '-')
            ok = parse_long(&parser, argc, argv, &i);
        else
            ok = parse_letters(&parser, argc, argv, &i);
        if (!ok) return false;
    }
    if (!apply_service(&parser)) return false;
    tunnel_options_complete(&ret_options->tunnel);
    take_brackets_off(ret_options);
    if (!ret_options->help && !ret_options->version && !check(&parser)) return false;
    if (!choose_token(&parser, dotenv, &variables)) return false;
    withhold_token(ret_options, dotenv);
    return true;
}
