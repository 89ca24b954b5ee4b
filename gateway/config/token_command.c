/* See token_command.h. */
#include "config/token_command.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "auth/jwt.h"
#include "config/config.h"
#include "config/config_value.h"
#include "config/flag_value.h"
#include "config/secret_file.h"

#define TTL_MAX_MS ((uint64_t)3650 * 24 * 3600 * 1000)

/* What the token allows, as claims of numbers. */
static const struct {
    const char *flag, *claim;
} bounds[] = {{"--max-tunnels", "max_tunnels"},
              {"--max-rate", "max_rate"},
              {"--max-bandwidth", "max_bandwidth"},
              {"--max-connections", "max_connections"}};

enum { BOUNDS_COUNT = sizeof(bounds) / sizeof(bounds[0]) };

struct request {
    struct view subject, lifetime; /* absent: not said */
    struct view names, bounds[BOUNDS_COUNT];
    char **rest; /* flags of the gateway */
    int rest_count;
};

static int complain(const char *what) {
    fprintf(stderr, "ttf-gateway token: %s\n", what);
    return 2;
}

static bool take_bound(int argc, char **argv, int *i, struct request *request) {
    for (size_t k = 0; k < BOUNDS_COUNT; k++)
        if (flag_value(bounds[k].flag, argc, argv, i, &request->bounds[k])) return true;
    return false;
}

static void split(int argc, char **argv, struct request *request) {
    request->rest[request->rest_count++] = argv[0];
    for (int i = 1; i < argc; i++)
        if (!flag_value("--sub", argc, argv, &i, &request->subject) &&
            !flag_value("--ttl", argc, argv, &i, &request->lifetime) &&
            !flag_value("--tunnels", argc, argv, &i, &request->names) && !take_bound(argc, argv, &i, request))
            request->rest[request->rest_count++] = argv[i];
}

/* ---- what it allows ---- */

static bool put_names(struct buf *out, struct view names) {
    struct view name;
    const char *before = "[";
    if (!names.ptr) return true;
    buf_printf(out, "\"tunnels\":");
    for (; view_split(&names, ',', &name); before = ",")
        buf_printf(out, "%s\"%.*s\"", before, VIEW_ARG(view_trim(name)));
    return buf_append_byte(out, ']');
}

static bool put_bounds(struct buf *out, const struct request *request) {
    bool ok = true;
    for (size_t i = 0; ok && i < BOUNDS_COUNT; i++) {
        size_t number;
        if (!request->bounds[i].ptr) continue;
        ok = size_parse(request->bounds[i], &number) &&
             buf_printf(out, "%s\"%s\":%zu", out->len > 1 ? "," : "", bounds[i].claim, number);
    }
    return ok;
}

/* A JSON object, which the caller frees. NULL, having said why, where that is no allowance. */
static char *allowance_claims(const struct request *request) {
    struct buf text;
    const char *reason = "expected whole numbers behind --max-tunnels and the like";
    buf_init(&text, JWT_TOKEN_MAX);
    buf_append_byte(&text, '{');
    bool good = put_names(&text, request->names) && put_bounds(&text, request);
    good = good && buf_append_byte(&text, '}') && allowance_check(buf_view(&text), &reason);
    char *claims = good ? view_to_cstr(buf_view(&text)) : NULL;
    if (!claims) complain(reason);
    buf_done(&text);
    return claims;
}

static int issue(const struct config *config, const struct request *request) {
    struct secret_text secret = {.len = 0};
    struct buf token;
    uint64_t lifetime_ms;
    if (!request->subject.len) return complain("--sub NAME is missing: who the token is for");
    if (!duration_parse(request->lifetime, &lifetime_ms) || lifetime_ms < 1000 || lifetime_ms > TTL_MAX_MS)
        return complain("--ttl: expected a time from 1s to 3650d, such as 12h or 30d");
    if (!config->jwt_secret && !config->jwt_secret_file)
        return complain("JWT_SECRET or JWT_SECRET_FILE is needed, the same as the gateway's");
    if (config->jwt_secret && config->jwt_secret_file)
        return complain("JWT_SECRET and JWT_SECRET_FILE contradict each other: one secret is enough");
    char *more = allowance_claims(request);
    if (!more) return 2;
    if (!secret_load_jwt(config, &secret)) {
        free(more);
        return 2;
    }
    struct jwt_settings settings = {.secret = view_of(secret.bytes, secret.len),
                                    .audience = view_from_cstr(config->jwt_audience),
                                    .issuer = view_from_cstr(config->jwt_issuer),
                                    .issue_more = more};
    buf_init(&token, JWT_TOKEN_MAX);
    bool made = jwt_issue(&settings, request->subject, (uint64_t)time(NULL), lifetime_ms / 1000, &token);
    if (made) printf("%.*s\n", VIEW_ARG(buf_view(&token)));
    buf_done(&token);
    free(more);
    explicit_bzero(&secret, sizeof(secret));
    return made ? 0 : complain("--sub: expected 1 to 128 bytes of UTF-8 without control characters");
}

static void print_help(void) {
    puts("Usage: ttf-gateway token --sub NAME [--ttl TIME] [--tunnels NAMES] [flags]\n"
         "\n"
         "Prints a token (JSON Web Token, HS256) for agents: ttf --token TOKEN. It is made with the "
         "gateway's\n"
         "JWT_SECRET or JWT_SECRET_FILE, and JWT_AUDIENCE and JWT_ISSUER where they are set.\n"
         "\n"
         "  --sub NAME                     whose it is; tunnels and their names belong to it\n"
         "  --ttl TIME                     how long it is good: 12h, 30d (default 30d)\n"
         "  --tunnels NAMES                names and patterns it may have: shop,alice-* (default any)\n"
         "  --max-tunnels N                tunnels at once\n"
         "  --max-rate N                   requests a second, of all its tunnels\n"
         "  --max-bandwidth BYTES          bytes a second, of all its tunnels: 500KiB, 2MiB\n"
         "  --max-connections N            requests and WebSockets at once, of all its tunnels\n"
         "                                 (what is not said is as the gateway's settings say)\n"
         "  --jwt-secret-file FILE, --config FILE, ...\n"
         "                                 as of the gateway (ttf-gateway --help all)");
}

int token_command(int argc, char **argv) {
    struct request request = {.lifetime = VIEW("30d"), .rest = calloc((size_t)argc + 1, sizeof(char *))};
    struct config config;
    int code = 1;
    if (!request.rest) return complain("out of memory");
    split(argc, argv, &request);
    if (config_load(&config, request.rest_count, request.rest, &code)) {
        if (config.help)
            print_help();
        else
            code = issue(&config, &request);
    }
    config_done(&config);
    free(request.rest);
    return code;
}
