/* See admin_command.h. One table of what can be said. */
#include "admin/admin_command.h"

#include <stdio.h>
#include <stdlib.h>

#include "admin/admin_client.h"
#include "admin/admin_outcome.h"
#include "admin/admin_table.h"
#include "base/edits.h"
#include "config/config_value.h"
#include "config/flag_value.h"
#include "config/secret_file.h"

#define PREFIX "/api/v1/"

static const char *const tunnel_columns[] = {"tunnel", "owner",    "state", "address", "software", "protocol",
                                             "since",  "requests", "rate",  "gateway", NULL};
static const char *const name_columns[] = {"name", "owner", "state", "until", "gateway", NULL};
static const char *const gateway_columns[] = {"gateway",   "version",  "state", "agents",
                                              "in_flight", "requests", "rate",  NULL};
static const char *const block_columns[] = {"name", "owner", "since", "until", "by", "reason", NULL};
static const char *const revocation_columns[] = {"token", "owner", "since", "until", "by", "reason", NULL};

enum argument { NO_ARGUMENT, MAY_HAVE, MUST_HAVE, OR_OWNER };

static const struct verb {
    const char *name, *method;
    const char *before, *behind; /* of the path, around the argument; `behind` NULL: it is a parameter ... */
    const char *parameter;       /* ... of this name */
    enum argument argument;
    const char *member; /* of the answer: rows */
    const char *const *columns;
    const char *arguments, *help;
} verbs[] = {
    {"tunnels", "GET", "tunnels", "", NULL, MAY_HAVE, "tunnels", tunnel_columns,
     "[NAME] [--owner OWNER] [--sort rate]", "tunnels whose agent is connected"},
    {"kick", "POST", "tunnels", "/kick", NULL, MUST_HAVE, NULL, NULL, "NAME",
     "ends its agent's connection, which may come back"},
    {"names", "GET", "names", NULL, NULL, NO_ARGUMENT, "names", name_columns, "",
     "names that are held, also for owners who are away"},
    {"release", "POST", "names", "/release", NULL, MUST_HAVE, NULL, NULL, "NAME",
     "gives a name back whose agent is away"},
    {"block", "POST", "blocks", NULL, "name", OR_OWNER, NULL, NULL, "NAME | --owner OWNER",
     "keeps everybody from a name, or an owner out"},
    {"unblock", "DELETE", "blocks", NULL, "name", OR_OWNER, NULL, NULL, "NAME | --owner OWNER", "ends that"},
    {"blocks", "GET", "blocks", NULL, NULL, NO_ARGUMENT, "blocks", block_columns, "", "what is blocked"},
    {"revoke", "POST", "revocations", NULL, "token", OR_OWNER, NULL, NULL, "JTI | --owner OWNER",
     "ends a token, or all of an owner's until now"},
    {"unrevoke", "DELETE", "revocations", NULL, "token", OR_OWNER, NULL, NULL, "JTI | --owner OWNER",
     "takes that back"},
    {"revocations", "GET", "revocations", NULL, NULL, NO_ARGUMENT, "revocations", revocation_columns, "",
     "tokens that are revoked"},
    {"gateways", "GET", "gateways", NULL, NULL, NO_ARGUMENT, "gateways", gateway_columns, "",
     "the gateways that share the store"},
    {"drain", "POST", "drain", NULL, "gateway", MUST_HAVE, NULL, NULL, "GATEWAY",
     "takes that gateway down, and nobody notices"},
};

struct request {
    const struct verb *verb;
    struct view argument, owner, reason, lasts, sort; /* absent: not said */
    const char *unknown;                              /* said where the command belongs; NULL: nothing */
    bool as_json;
    char **rest; /* flags of the gateway */
    int rest_count;
};

static int complain(const char *what, const char *which) {
    fprintf(stderr, "ttf-gateway admin: %s%s (ttf-gateway admin --help)\n", what, which);
    return 2;
}

static int complain_of_command(const char *word) {
    struct view said = view_from_cstr(word);
    struct nearest nearest = {.word = said, .most = edits_allowed(said)};
    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) nearest_offer(&nearest, verbs[i].name);
    return nearest.name ? complain("there is no such command; did you mean ", nearest.name)
                        : complain("there is no such command", "");
}

static int complain_of(const struct verb *verb) {
    fprintf(stderr, "ttf-gateway admin: expected: %s %s\n", verb->name, verb->arguments);
    return 2;
}

/* ---- what was said ---- */

static const struct verb *find_verb(const char *name) {
    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
        if (strcmp(verbs[i].name, name) == 0) return &verbs[i];
    return NULL;
}

/* A flag of the gateway has its value with it, or behind it. */
static void keep_flag(struct request *request, int argc, char **argv, int *i) {
    bool has_value = strchr(argv[*i], '=') || strcmp(argv[*i], "--help") == 0 || strcmp(argv[*i], "-h") == 0;
    request->rest[request->rest_count++] = argv[*i];
    if (!has_value && *i + 1 < argc) request->rest[request->rest_count++] = argv[++*i];
}

/* False: there is a word too many. */
static bool split(int argc, char **argv, struct request *request) {
    request->rest[request->rest_count++] = argv[0];
    for (int i = 1; i < argc; i++) {
        if (flag_value("--owner", argc, argv, &i, &request->owner) ||
            flag_value("--reason", argc, argv, &i, &request->reason) ||
            flag_value("--for", argc, argv, &i, &request->lasts) ||
            flag_value("--sort", argc, argv, &i, &request->sort))
            continue;
        if (strcmp(argv[i], "--json") == 0)
            request->as_json = true;
        else if (argv[i][0] == '-')
            keep_flag(request, argc, argv, &i);
        else if (!request->verb && (request->verb = find_verb(argv[i])))
            continue;
        else if (!request->verb || request->argument.ptr) {
            request->unknown = request->verb ? NULL : argv[i];
            return false;
        } else
            request->argument = view_from_cstr(argv[i]);
    }
    return true;
}

static bool is_whole(const struct request *request) {
    bool has_argument = request->argument.len > 0, has_owner = request->owner.len > 0;
    switch (request->verb->argument) {
    case NO_ARGUMENT: return !has_argument;
    case MUST_HAVE: return has_argument;
    case OR_OWNER: return has_argument != has_owner;
    case MAY_HAVE: break;
    }
    return true;
}

/* ---- asking ---- */

/* Owners who have shown a token are "sub:..."; the prefix may be left to us. */
static void complete_owner(struct request *request, struct buf *whole) {
    struct view owner = request->owner;
    bool is_whole = view_starts_with(owner, VIEW("sub:")) || view_starts_with(owner, VIEW("anon:"));
    if (!owner.len || is_whole) return;
    buf_append_view(whole, VIEW("sub:"));
    buf_append_view(whole, owner);
    request->owner = buf_view(whole);
}

/* False: `--for` is no time. */
static bool make_target(const struct request *request, struct buf *target) {
    const struct verb *verb = request->verb;
    uint64_t lasts_ms;
    char seconds[24];
    buf_printf(target, PREFIX "%s", verb->before);
    if (request->argument.len && verb->behind) {
        admin_target_descend(target, request->argument);
        buf_printf(target, "%s", verb->behind);
    } else if (request->argument.len) {
        admin_target_add(target, verb->parameter, request->argument);
    }
    if (request->owner.len) admin_target_add(target, "owner", request->owner);
    if (request->reason.len) admin_target_add(target, "reason", request->reason);
    if (request->sort.len) admin_target_add(target, "sort", request->sort);
    if (verb->columns) admin_target_add(target, "limit", VIEW("1000"));
    if (!request->lasts.ptr) return true;
    if (!duration_parse(request->lasts, &lasts_ms) || lasts_ms < 1000) return false;
    snprintf(seconds, sizeof(seconds), "%llu", (unsigned long long)(lasts_ms / 1000));
    admin_target_add(target, "seconds", view_from_cstr(seconds));
    return true;
}

static json_t *ask_page(const struct admin_client *client, const struct request *request, struct view target,
                        const char *cursor) {
    struct buf page;
    buf_init(&page, 16384);
    buf_append_view(&page, target);
    if (cursor) admin_target_add(&page, "cursor", view_from_cstr(cursor));
    json_t *answer = page.failed ? NULL : admin_client_ask(client, request->verb->method, buf_view(&page));
    buf_done(&page);
    return answer;
}

/* All pages in one. */
static json_t *ask(const struct admin_client *client, const struct request *request, struct view target) {
    json_t *all = ask_page(client, request, target, NULL);
    const char *next;
    while (all && (next = json_string_value(json_object_get(all, "next")))) {
        json_t *page = ask_page(client, request, target, next);
        json_array_extend(json_object_get(all, request->verb->member),
                          json_object_get(page, request->verb->member));
        json_object_del(all, "next");
        if (page && json_object_get(page, "next"))
            json_object_set(all, "next", json_object_get(page, "next"));
        if (!page) {
            json_decref(all);
            all = NULL;
        }
        json_decref(page);
    }
    return all;
}

static long long agents_of(const json_t *answer, const char *member) {
    const json_t *number = json_object_get(answer, member);
    return json_is_integer(number) ? (long long)json_integer_value(number) : OUTCOME_UNKNOWN;
}

static void show_outcome(const struct request *request, const json_t *answer) {
    bool is_kick = strcmp(request->verb->name, "kick") == 0;
    const struct outcome outcome = {.verb = request->verb->name,
                                    .what = request->argument,
                                    .owner = request->owner,
                                    .lasts = request->lasts,
                                    .agents = agents_of(answer, is_kick ? "kicked" : "agents")};
    outcome_print(stdout, &outcome);
}

static void show(const struct request *request, const json_t *answer) {
    const struct verb *verb = request->verb;
    const json_t *silent = json_object_get(answer, "silent");
    if (request->as_json) {
        json_dumpf(answer, stdout, JSON_INDENT(1));
        putchar('\n');
        return;
    }
    if (verb->columns)
        admin_table_print(stdout, json_object_get(answer, verb->member), verb->columns);
    else
        show_outcome(request, answer);
    for (size_t i = 0; i < json_array_size(silent); i++)
        fprintf(stderr, "%s did not answer\n", json_string_value(json_array_get(silent, i)));
}

/* ---- whom it concerns ---- */

/* Commands that send agents away: which one lists these, and in which member of a row the argument stands. */
static const struct look {
    const char *verb, *list, *member;
} looks[] = {
    {"block", "tunnels", "tunnel"}, {"revoke", "tunnels", "token"}, {"drain", "gateways", "gateway"}};

static const struct look *look_of(const struct verb *verb) {
    for (size_t i = 0; i < sizeof(looks) / sizeof(looks[0]); i++)
        if (strcmp(looks[i].verb, verb->name) == 0) return &looks[i];
    return NULL;
}

/* Of a row of the list that is looked at: how many agents of those that are meant. */
static json_int_t agents_in(const struct request *request, const json_t *row, const char *member) {
    const char *value = json_string_value(json_object_get(row, member));
    bool is_meant = !request->argument.len || (value && view_eq(request->argument, view_from_cstr(value)));
    const json_t *agents = json_object_get(row, "agents");
    if (!is_meant) return 0;
    return agents ? json_integer_value(agents) : 1;
}

/* Puts `agents` into the answer of a command that sends some away: it is asked before, for afterwards they
 * are gone. NULL: this one does not, or that is not known. */
static json_t *count_agents(const struct admin_client *client, const struct request *request) {
    const struct look *look = look_of(request->verb);
    struct admin_client quiet = *client;
    struct buf target;
    json_int_t count = 0;
    if (!look) return NULL;
    struct request list = {.verb = find_verb(look->list), .owner = request->owner};
    quiet.is_quiet = true;
    buf_init(&target, 8192);
    make_target(&list, &target);
    json_t *all = ask(&quiet, &list, buf_view(&target));
    const json_t *rows = json_object_get(all, list.verb->member);
    for (size_t i = 0; i < json_array_size(rows); i++)
        count += agents_in(request, json_array_get(rows, i), look->member);
    bool is_listed = rows;
    buf_done(&target);
    json_decref(all);
    return is_listed ? json_integer(count) : NULL;
}

static int run(struct request *request, const struct config *config) {
    char token[SECRET_TEXT_MAX];
    struct admin_client client;
    struct buf target, owner;
    if (!admin_client_init(&client, config, token)) return 1;
    buf_init(&target, 8192);
    buf_init(&owner, 4096);
    complete_owner(request, &owner);
    int code = make_target(request, &target) ? 1 : complain("--for: expected a time such as 12h or 30d", "");
    json_t *agents = code == 1 ? count_agents(&client, request) : NULL;
    json_t *answer = code == 1 ? ask(&client, request, buf_view(&target)) : NULL;
    if (answer && agents) json_object_set(answer, "agents", agents);
    if (answer) show(request, answer);
    if (answer) code = 0;
    json_decref(agents);
    json_decref(answer);
    buf_done(&target);
    buf_done(&owner);
    explicit_bzero(token, sizeof(token));
    return code;
}

static void print_help(void) {
    puts("Usage: ttf-gateway admin COMMAND [--json] [flags]\n"
         "\n"
         "Looks after the gateways that run: all that share a store, whichever is asked.\n");
    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
        printf("  %s %-*s %s\n", verbs[i].name, (int)(44 - strlen(verbs[i].name)), verbs[i].arguments,
               verbs[i].help);
    puts("\n"
         "  --reason TEXT                                 with block, revoke: what agents are told\n"
         "  --for TIME                                    with block, revoke: 12h, 30d; else for ever\n"
         "  --json                                        as the API says it (docs/ADMINISTRATION.md)\n"
         "  --admin-socket FILE                           the gateway's; or its port and token:\n"
         "  --admin-listen ADDRESS, --admin-token-file FILE, --config FILE\n"
         "                                                as of the gateway (ttf-gateway --help all)");
}

int admin_command(int argc, char **argv) {
    struct request request = {.rest = calloc((size_t)argc + 1, sizeof(char *))};
    struct config config;
    int code = 1;
    if (!request.rest) return 1;
    bool is_split = split(argc, argv, &request);
    if (config_load(&config, request.rest_count, request.rest, &code)) {
        if (config.help)
            print_help();
        else if (argc < 2)
            code = complain("say what to do, as `ttf-gateway admin tunnels`", "");
        else if (!is_split || !request.verb)
            code = request.verb ? complain("there is a word too many behind ", request.verb->name)
                                : complain_of_command(request.unknown ? request.unknown : "");
        else if (!is_whole(&request))
            code = complain_of(request.verb);
        else
            code = run(&request, &config);
    }
    config_done(&config);
    free(request.rest);
    return code;
}
