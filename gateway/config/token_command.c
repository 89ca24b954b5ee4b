/* See token_command.h. */
#include "config/token_command.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "auth/jwt.h"
#include "config/config.h"
#include "config/config_value.h"
#include "config/secret_file.h"

#define TTL_MAX_MS ((uint64_t)3650 * 24 * 3600 * 1000)

struct request {
    struct view subject, lifetime; /* absent: not said */
    char **rest;                   /* flags of the gateway */
    int rest_count;
};

static int complain(const char *what) {
    fprintf(stderr, "ttf-gateway token: %s\n", what);
    return 2;
}

static bool take(const char *name, int argc, char **argv, int *i, struct view *ret_value) {
    struct view argument = view_from_cstr(argv[*i]), flag = view_from_cstr(name);
    struct view behind = view_skip(argument, flag.len);
    if (!view_starts_with(argument, flag) || (behind.len && behind.ptr[0] != '=')) return false;
    if (behind.len)
        *ret_value = view_skip(behind, 1);
    else
        *ret_value = *i + 1 < argc ? view_from_cstr(argv[++*i]) : VIEW("");
    return true;
}

static void split(int argc, char **argv, struct request *request) {
    request->rest[request->rest_count++] = argv[0];
    for (int i = 1; i < argc; i++)
        if (!take("--sub", argc, argv, &i, &request->subject) &&
            !take("--ttl", argc, argv, &i, &request->lifetime))
            request->rest[request->rest_count++] = argv[i];
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
    if (!secret_load_jwt(config, &secret)) return 2;
    struct jwt_settings settings = {.secret = view_of(secret.bytes, secret.len),
                                    .audience = view_from_cstr(config->jwt_audience),
                                    .issuer = view_from_cstr(config->jwt_issuer)};
    buf_init(&token, JWT_TOKEN_MAX);
    bool made = jwt_issue(&settings, request->subject, (uint64_t)time(NULL), lifetime_ms / 1000, &token);
    if (made) printf("%.*s\n", VIEW_ARG(buf_view(&token)));
    buf_done(&token);
    explicit_bzero(&secret, sizeof(secret));
    return made ? 0 : complain("--sub: expected 1 to 128 bytes of UTF-8 without control characters");
}

static void print_help(void) {
    puts("Usage: ttf-gateway token --sub NAME [--ttl TIME] [flags]\n"
         "\n"
         "Prints a token (JSON Web Token, HS256) for agents: ttf --token TOKEN. It is made with the "
         "gateway's\n"
         "JWT_SECRET or JWT_SECRET_FILE, and JWT_AUDIENCE and JWT_ISSUER where they are set.\n"
         "\n"
         "  --sub NAME                     whose it is; tunnels and their names belong to it\n"
         "  --ttl TIME                     how long it is good: 12h, 30d (default 30d)\n"
         "  --jwt-secret-file FILE, --config FILE, ...\n"
         "                                 as of the gateway (ttf-gateway --help)");
}

int token_command(int argc, char **argv) {
    struct request request = {.lifetime = VIEW("30d"), .rest = calloc((size_t)argc + 1, sizeof(char *))};
    struct config config;
    int code = 1;
    if (!request.rest) return complain("out of memory");
    split(argc, argv, &request);
    if (config_load(&config, request.rest_count, request.rest, &code)) {
        if (config.wants_help)
            print_help();
        else
            code = issue(&config, &request);
    }
    config_done(&config);
    free(request.rest);
    return code;
}
