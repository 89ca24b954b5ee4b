/* See config.h. */
#include "config.h"
#include "config_value.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

enum setting_kind {
    KIND_TEXT,
    KIND_BOOL,
    KIND_ANSWER,
    KIND_DURATION,
    KIND_SIZE,
    KIND_ADDRESS,
    KIND_LIST,
    KIND_LEVEL,
    KIND_DO
};

struct setting {
    const char *flag;     /* without the dashes; NULL: only the variable */
    const char *variable; /* NULL: only the flag */
    enum setting_kind kind;
    size_t offset;
    const char *fallback; /* as text; NULL: none */
    const char *help;
    char letter;
};

#define AT(member) offsetof(struct config, member)

static const struct setting settings[] = {
    {"public-listen", "PUBLIC_LISTEN", KIND_ADDRESS, AT(public_listen), "loopback:8080",
     "where visitors come", 0},
    {"agent-listen", "AGENT_LISTEN", KIND_ADDRESS, AT(agent_listen), "loopback:8081",
     "where agents (ttf) connect; any other address than loopback needs --require-auth said", 0},
    {"admin-listen", "ADMIN_LISTEN", KIND_ADDRESS, AT(admin_listen), "loopback:8082", "/healthz and /readyz",
     0},
    {"domain", "DOMAIN_NAME", KIND_TEXT, AT(domain), "localhost", "tunnels are its subdomains", 0},
    {"public-url", "PUBLIC_URL", KIND_TEXT, AT(public_url), NULL,
     "what the URLs shown to people begin with (default http://<domain>:<public port>)", 0},
    {"names", "OTHER_NAMES", KIND_LIST, AT(names), NULL,
     "further host names of the gateway, for URLs with the tunnel in the path", 0},
    {"enable-subdomain-routing", "ENABLE_SUBDOMAIN_ROUTING", KIND_BOOL, AT(subdomain_routing), "true",
     "reach tunnels as <tunnel>.<domain>", 0},
    {"store", "STORE_URL", KIND_TEXT, AT(store_url), "memory", "who holds which tunnel: memory", 0},
    {NULL, "TUNNEL_SECRET", KIND_TEXT, AT(secret), NULL,
     "signs resume tokens, 16 bytes at least (default: made once, kept in the state directory)", 0},
    {NULL, "TUNNEL_SECRET_FILE", KIND_TEXT, AT(secret_file), NULL, "a file that holds it", 0},
    {"state-dir", "STATE_DIRECTORY", KIND_TEXT, AT(state_dir), NULL,
     "default $XDG_STATE_HOME/ttf-gateway or ~/.local/state/ttf-gateway", 0},
    {"require-auth", "REQUIRE_AUTH", KIND_ANSWER, AT(require_auth), NULL,
     "must agents show a token? true or false", 0},
    {"trusted-proxies", "TRUSTED_PROXIES", KIND_LIST, AT(proxies_text), NULL,
     "networks whose X-Forwarded-* fields are believed, as 10.0.0.0/8,fd00::/8", 0},
    {"allowed-origins", "ALLOWED_ORIGINS", KIND_LIST, AT(allowed_origins), NULL,
     "web origins that may connect as agents", 0},
    {"agent-protocols", "AGENT_PROTOCOLS", KIND_LIST, AT(agent_protocols), "v2,v1",
     "spoken with agents; v1 limits bodies and streams nothing", 0},
    {"request-timeout", "REQUEST_TIMEOUT", KIND_DURATION, AT(request_timeout_ms), "25s",
     "how long a local service may take to begin its answer", 0},
    {"body-idle-timeout", "BODY_IDLE_TIMEOUT", KIND_DURATION, AT(body_idle_timeout_ms), "300s",
     "silence within a body", 0},
    {"grace", "RECONNECT_GRACE", KIND_DURATION, AT(grace_ms), "5s",
     "how long a request waits for an agent that has just gone", 0},
    {"header-timeout", "HEADER_TIMEOUT", KIND_DURATION, AT(header_timeout_ms), "10s",
     "for the whole head of a request", 0},
    {"keepalive-timeout", "KEEPALIVE_TIMEOUT", KIND_DURATION, AT(keepalive_timeout_ms), "60s",
     "idle time of a visitor's connection between requests", 0},
    {"agent-ping-interval", "AGENT_PING_INTERVAL", KIND_DURATION, AT(agent_ping_interval_ms), "20s",
     "an agent silent for two of them is gone", 0},
    {"drain-timeout", "DRAIN_TIMEOUT", KIND_DURATION, AT(drain_timeout_ms), "30s",
     "how long requests may finish when stopping", 0},
    {"offline-keep", "OFFLINE_KEEP", KIND_DURATION, AT(offline_keep_ms), "5m",
     "how long a tunnel keeps its name without an agent", 0},
    {"max-body", "MAX_BODY", KIND_SIZE, AT(body_bytes), "2MiB", "largest body of a request or an answer", 0},
    {"max-connections", "MAX_CONNECTIONS", KIND_SIZE, AT(max_connections), "16384",
     "visitors, and agents, at once", 0},
    {"max-connections-per-address", "MAX_CONNECTIONS_PER_ADDRESS", KIND_SIZE, AT(max_connections_per_address),
     "1024", "except loopback and trusted proxies", 0},
    {"log-level", "LOG_LEVEL", KIND_LEVEL, AT(log_level), "info", "error, warn, info or debug", 0},
    {"health", NULL, KIND_DO, AT(wants_health), NULL,
     "ask the gateway on this machine whether it is well, by the exit code", 0},
    {"help", NULL, KIND_DO, AT(wants_help), NULL, "this text", 'h'},
    {"version", NULL, KIND_DO, AT(wants_version), NULL, "the version", 'V'},
};

#define SETTINGS_COUNT (sizeof(settings) / sizeof(settings[0]))

static const char *const kind_names[] = {"TEXT",    "BOOL", "BOOL",  "TIME", "SIZE",
                                         "ADDRESS", "LIST", "LEVEL", ""};

/* ---- values ---- */

static bool set_list(struct text_list *list, struct view text) {
    free(list->items);
    free(list->storage);
    *list = (struct text_list){.storage = view_to_cstr(text)};
    list->items = calloc(text.len + 1, sizeof(*list->items));
    if (!list->storage || !list->items) return false;
    struct view rest = view_of(list->storage, text.len), item;
    while (view_split(&rest, ',', &item))
        if ((item = view_trim(item)).len) list->items[list->count++] = item;
    return true;
}

static bool set_level(enum log_level *level, struct view text) {
    for (int i = LOG_LEVEL_ERROR; i <= LOG_LEVEL_DEBUG; i++) {
        *level = (enum log_level)i;
        if (view_eq_nocase(text, view_from_cstr(log_level_name(*level)))) return true;
    }
    return false;
}

static bool set_text(char **place, struct view text) {
    free(*place);
    *place = view_to_cstr(text);
    return *place != NULL;
}

static bool set_answer(enum answer *answer, struct view text) {
    bool yes;
    if (!bool_parse(text, &yes)) return false;
    *answer = yes ? ANSWER_YES : ANSWER_NO;
    return true;
}

/* NULL, or why not. */
static const char *set_value(struct config *config, const struct setting *setting, struct view text) {
    void *place = (char *)config + setting->offset;
    const char *why = "";
    switch (setting->kind) {
    case KIND_TEXT: return set_text(place, text) ? NULL : "out of memory";
    case KIND_LIST: return set_list(place, text) ? NULL : "out of memory";
    case KIND_BOOL: return bool_parse(text, place) ? NULL : "expected true or false";
    case KIND_ANSWER: return set_answer(place, text) ? NULL : "expected true or false";
    case KIND_DURATION:
        return duration_parse(text, place) ? NULL : "expected a time such as 500ms, 25s, 5m or 2h";
    case KIND_SIZE: return size_parse(text, place) ? NULL : "expected a size such as 512, 64KiB or 2MiB";
    case KIND_ADDRESS: return address_parse(text, place, &why) ? NULL : why;
    case KIND_LEVEL: return set_level(place, text) ? NULL : "expected error, warn, info or debug";
    case KIND_DO: *(bool *)place = true; return NULL;
    }
    return "?";
}

/* ---- flags and variables ---- */

static int complain(const char *what, struct view value, const char *why) {
    fprintf(stderr, "ttf-gateway: %s \"%.*s\": %s\n", what, VIEW_ARG(value), why);
    return 2;
}

static int unknown_flag(struct view argument) {
    struct view name = view_slice(argument, 0, view_find(argument, '='));
    while (name.len && name.ptr[0] == '-') name = view_skip(name, 1);
    const struct setting *nearest = NULL;
    size_t distance = 4;
    for (size_t i = 0; i < SETTINGS_COUNT; i++) {
        if (!settings[i].flag) continue;
        size_t d = edit_distance(name, view_from_cstr(settings[i].flag));
        if (d < distance) nearest = &settings[i], distance = d;
    }
    if (nearest)
        fprintf(stderr, "ttf-gateway: unknown flag \"%.*s\", did you mean --%s?\n", VIEW_ARG(argument),
                nearest->flag);
    else
        fprintf(stderr, "ttf-gateway: unknown flag \"%.*s\" (see ttf-gateway --help)\n", VIEW_ARG(argument));
    return 2;
}

static const struct setting *find_flag(struct view argument) {
    bool is_letter = argument.len == 2 && argument.ptr[0] == '-';
    bool is_word = view_starts_with(argument, VIEW("--"));
    struct view name = view_slice(view_skip(argument, 2), 0, view_find(view_skip(argument, 2), '='));
    for (size_t i = 0; i < SETTINGS_COUNT; i++) {
        if (is_letter && settings[i].letter == argument.ptr[1]) return &settings[i];
        if (is_word && settings[i].flag && view_eq(name, view_from_cstr(settings[i].flag)))
            return &settings[i];
    }
    return NULL;
}

static bool may_stand_alone(const struct setting *setting) {
    return setting->kind == KIND_BOOL || setting->kind == KIND_ANSWER || setting->kind == KIND_DO;
}

/* Takes one flag and its value off; the exit code, or 0. */
static int take_flag(struct config *config, int argc, char **argv, int *i) {
    struct view argument = view_from_cstr(argv[*i]);
    const struct setting *setting = find_flag(argument);
    if (!setting) return unknown_flag(argument);
    struct view value;
    size_t equals = view_find(argument, '=');
    bool word_follows = *i + 1 < argc && strncmp(argv[*i + 1], "--", 2) != 0;
    if (equals < argument.len)
        value = view_skip(argument, equals + 1);
    else if (setting->kind == KIND_DO || (may_stand_alone(setting) && !word_follows))
        value = VIEW("true");
    else if (*i + 1 < argc)
        value = view_from_cstr(argv[++*i]);
    else
        return complain("flag", argument, "a value is missing");
    const char *why = set_value(config, setting, value);
    char what[64];
    snprintf(what, sizeof(what), "--%s", setting->flag);
    return why ? complain(what, value, why) : 0;
}

static int take_flags(struct config *config, int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        int code = take_flag(config, argc, argv, &i);
        if (code) return code;
    }
    return 0;
}

static int take_variables(struct config *config) {
    for (size_t i = 0; i < SETTINGS_COUNT; i++) {
        const char *text = settings[i].variable ? getenv(settings[i].variable) : NULL;
        if (!text || !*text) continue;
        const char *why = set_value(config, &settings[i], view_from_cstr(text));
        bool is_secret = settings[i].offset == AT(secret);
        if (why) return complain(settings[i].variable, is_secret ? VIEW("***") : view_from_cstr(text), why);
    }
    return 0;
}

static void take_defaults(struct config *config) {
    for (size_t i = 0; i < SETTINGS_COUNT; i++)
        if (settings[i].fallback) set_value(config, &settings[i], view_from_cstr(settings[i].fallback));
}

/* ---- what does not go together ---- */

static int parse_proxies(struct config *config) {
    config->proxies = calloc(config->proxies_text.count + 1, sizeof(*config->proxies));
    for (size_t i = 0; config->proxies && i < config->proxies_text.count; i++)
        if (!network_parse(config->proxies_text.items[i], &config->proxies[i]))
            return complain("--trusted-proxies", config->proxies_text.items[i],
                            "expected a network such as 10.0.0.0/8");
    return config->proxies ? 0 : 2;
}

bool config_speaks(const struct config *config, struct view protocol) {
    for (size_t i = 0; i < config->agent_protocols.count; i++)
        if (view_eq(config->agent_protocols.items[i], protocol)) return true;
    return false;
}

static int check_protocols(const struct config *config) {
    for (size_t i = 0; i < config->agent_protocols.count; i++) {
        struct view name = config->agent_protocols.items[i];
        if (!view_eq(name, VIEW("v1")) && !view_eq(name, VIEW("v2")))
            return complain("--agent-protocols", name, "expected v2,v1, v2 or v1");
    }
    return 0;
}

static int check(const struct config *config) {
    int bad = check_protocols(config);
    if (bad) return bad;
    if (strcmp(config->store_url, "memory") != 0)
        return complain("--store", view_from_cstr(config->store_url),
                        strncmp(config->store_url, "redis", 5) == 0 ? "Redis is not available yet, use memory"
                                                                    : "expected memory");
    if (config->require_auth == ANSWER_YES)
        return complain("--require-auth", VIEW("true"),
                        "authentication of agents is not available yet; say false if any agent may connect");
    if (config->require_auth == ANSWER_UNSAID && !address_is_loopback(&config->agent_listen))
        return complain("--agent-listen", view_from_cstr(config->agent_listen.host),
                        "others than this machine could open tunnels: say --require-auth=false "
                        "(REQUIRE_AUTH) if they may");
    if (config->secret && strlen(config->secret) < 16)
        return complain("TUNNEL_SECRET", VIEW("***"), "it has fewer than 16 bytes");
    if (config->header_timeout_ms == 0 || config->keepalive_timeout_ms == 0 ||
        config->request_timeout_ms == 0 || config->body_idle_timeout_ms == 0 ||
        config->agent_ping_interval_ms == 0)
        return complain("timeouts", VIEW("0"),
                        "none of them may be 0, except --grace, --drain-timeout and --offline-keep");
    if (config->max_connections == 0 || config->max_connections > 1000000)
        return complain("--max-connections", VIEW("0"), "expected 1 to 1000000");
    if (config->body_bytes > ((size_t)1 << 30))
        return complain("--max-body", VIEW("over 1GiB"), "v1 keeps bodies in memory");
    return 0;
}

static int parse(struct config *config, int argc, char **argv) {
    take_defaults(config);
    int code = take_variables(config);
    if (!code) code = take_flags(config, argc, argv);
    if (code || config->wants_help || config->wants_version || config->wants_health) return code;
    code = parse_proxies(config);
    return code ? code : check(config);
}

/* ---- the module ---- */

bool config_init(struct config *config, int argc, char **argv, int *ret_exit) {
    *config = (struct config){.domain = NULL};
    *ret_exit = parse(config, argc, argv);
    return *ret_exit == 0;
}

void config_done(struct config *config) {
    char *texts[] = {config->domain, config->public_url,  config->store_url,
                     config->secret, config->secret_file, config->state_dir};
    struct text_list *lists[] = {&config->names, &config->proxies_text, &config->allowed_origins,
                                 &config->agent_protocols};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) free(texts[i]);
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        free(lists[i]->items);
        free(lists[i]->storage);
    }
    free(config->proxies);
}

static void print_setting(const struct setting *setting) {
    char left[64] = "    ";
    if (setting->letter) snprintf(left, sizeof(left), "-%c, ", setting->letter);
    size_t used = strlen(left);
    if (setting->flag)
        snprintf(left + used, sizeof(left) - used, "--%s %s", setting->flag, kind_names[setting->kind]);
    printf("  %-44s %s\n", left, setting->help);
    if (!setting->variable && !setting->fallback) return;
    printf("  %-44s [%s%s%s%s]\n", "", setting->variable ? "$" : "",
           setting->variable ? setting->variable : "", setting->variable && setting->fallback ? ", " : "",
           setting->fallback ? setting->fallback : "");
}

void config_print_help(void) {
    puts(
        "ttf-gateway: the public end of HTTP tunnels. Visitors reach local services through agents (ttf).\n\n"
        "Usage: ttf-gateway [flags]\n\nEach setting is a flag or an environment variable (in brackets, with "
        "the default); "
        "flags win.\nAddresses: host:port, :port (all), loopback:port (127.0.0.1 and ::1); port 0 lets the "
        "system choose.\n");
    for (size_t i = 0; i < SETTINGS_COUNT; i++) print_setting(&settings[i]);
}
