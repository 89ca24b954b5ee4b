#include <stdlib.h>

#include "base/help.h"
#include "cmocka_setup.h"
#include "option_texts.h"
#include "options.h"

#define ARGS_MAX 8

static bool parse(struct options *options, const char *const args[], const struct dotenv *dotenv,
                  char error[512]) {
    char *argv[ARGS_MAX + 2] = {(char *)"ttf"};
    int argc = 1;
    while (args[argc - 1]) {
        argv[argc] = (char *)(uintptr_t)args[argc - 1];
        argc++;
    }
    error[0] = '\0';
    return options_parse(options, argc, argv, dotenv, error, 512);
}

static void bad_command_lines(void **state) {
    (void)state;
    static const struct {
        const char *name, *args[ARGS_MAX], *error;
    } rows[] = {
        {"typing mistake", {"--prot", "1"}, "did you mean --port?"},
        {"mistake with value", {"--endpont=ws://x"}, "did you mean --endpoint?"},
        {"abbreviation", {"--verb"}, "did you mean --verbose?"},
        {"nothing like it", {"--frobnicate"}, "ttf --help"},
        {"unknown letter", {"-x"}, "unknown option '-x'"},
        {"unknown letter in a bunch", {"-vx"}, "unknown option '-vx'"},
        {"a second service", {"3000", "3001"}, "a second service"},
        {"service and port", {"3000", "-p", "3000"}, "said twice: as --port"},
        {"service and host", {"--host", "x", "3000"}, "said twice: as --host"},
        {"port and socket", {"--unix", "/x", "-p", "3000"}, "said twice: as --port and as --unix"},
        {"service and socket", {"--unix", "/x", "localhost:1"}, "said twice: as --unix"},
        {"service of port 0", {"0"}, "not a number from 1 to 65535"},
        {"service of a port too big, alone", {"99999"}, "not a number from 1 to 65535"},
        {"service of a port too big", {"localhost:65536"}, "not a number from 1 to 65535"},
        {"service without a port", {"localhost:"}, "not a number from 1 to 65535"},
        {"service that is a URL with a path", {"http://localhost:3000/app"}, "without one"},
        {"service with a path", {"localhost:3000/app"}, "without one"},
        {"service that is a URL of nothing", {"http://"}, "expected a port"},
        {"service with a user", {"http://a@b:80"}, "no user and no password"},
        {"service with a password", {"http://a:b@c:80"}, "no user and no password"},
        {"service in half brackets", {"[::1:80"}, "expected a port"},
        {"service, IPv6 without brackets", {"::1"}, "not a number"},
        {"service with a line end", {"a\nb:80"}, "expected a port"},
        {"service on no socket", {"unix:"}, "the path of a socket"},
        {"service of another scheme", {"ftp://x:1"}, "expected a port"},
        {"url alone", {"ws://x"}, "did you mean --endpoint ws://x?"},
        {"mistyped command", {"stort"}, "unexpected 'stort' (did you mean ttf start?)"},
        {"mistyped command, a letter missing", {"doctr"}, "did you mean ttf doctor?"},
        {"nothing like a command", {"app"}, "unexpected 'app': expected a port"},
        {"command of another tunnel", {"http", "3000"}, "unexpected 'http': the service stands alone"},
        {"what is not tunnelled", {"tcp", "22"}, "HTTP and WebSockets alone"},
        {"help as a word", {"help"}, "ttf --help is meant"},
        {"host alone", {"localhost"}, "say its port, too"},
        {"option of another tunnel", {"--subdomain", "demo"}, "(here it is --name NAME)"},
        {"the same with a value", {"--url=http://localhost:3000"}, "the service as a word"},
        {"option nearer to another", {"--hostname", "x"}, "(here it is --domain DOMAIN"},
        {"a word too many", {"login", "ws://a", "ws://b"}, "one word too many"},
        {"port 0", {"-p", "0"}, "not a number from 1 to 65535"},
        {"port too big", {"-p", "65536"}, "not a number from 1 to 65535"},
        {"port negative", {"-p", "-1"}, "not a number from 1 to 65535"},
        {"port in words", {"--port=abc"}, "not a number from 1 to 65535"},
        {"port missing", {"--port"}, "--port wants a PORT"},
        {"endpoint empty", {"--endpoint="}, "--endpoint is empty"},
        {"value for a flag", {"--verbose=yes"}, "--verbose takes no value"},
        {"name in capitals", {"-n", "Demo"}, "--name must be"},
        {"name too short", {"-n", "ab"}, "--name must be"},
        {"token with a space", {"-t", "a b"}, "the token has a space"},
        {"token with a line end", {"-t", "a\r\nX: y"}, "the token has a space"},
        {"host with a path", {"--host", "localhost/x"}, "--host must be"},
        {"half a pair of brackets", {"--host", "[::1"}, "--host must be"},
        {"a name in brackets", {"--host", "[localhost]"}, "--host must be"},
        {"nothing in brackets", {"--host", "[]"}, "--host must be"},
        {"timeout 0", {"--request-timeout", "0"}, "not a number from 1 to 3600"},
    };
    struct dotenv none;
    dotenv_init(&none);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct options options;
        char error[512];
        if (parse(&options, rows[i].args, &none, error)) fail_msg("%s: was taken", rows[i].name);
        if (!strstr(error, rows[i].error)) fail_msg("%s: '%s'", rows[i].name, error);
        if (strchr(error, '\n')) fail_msg("%s: more than a line", rows[i].name);
    }
    dotenv_done(&none);
}

static void defaults(void **state) {
    (void)state;
    static const char *const args[] = {NULL};
    struct dotenv none;
    struct options options;
    char error[512];
    dotenv_init(&none);
    assert_true(parse(&options, args, &none, error));
    assert_null(options.endpoint);
    assert_string_equal(options.tunnel.host, "localhost");
    assert_int_equal(options.tunnel.port, 3000);
    assert_int_equal(options.connect_timeout_s, 0);
    assert_int_equal(options.tunnel.request_timeout_s, 0);
    assert_false(options.verbose || options.help || options.version);
    dotenv_done(&none);
}

static void services(void **state) {
    (void)state;
    static const struct {
        const char *word, *host, *unix_path;
        long port;
        bool https;
    } rows[] = {
        {"3000", "localhost", NULL, 3000, false},
        {":3001", "localhost", NULL, 3001, false},
        {"localhost:8080", "localhost", NULL, 8080, false},
        {"app.test:1", "app.test", NULL, 1, false},
        {"127.0.0.1:65535", "127.0.0.1", NULL, 65535, false},
        {"[::1]:8080", "::1", NULL, 8080, false},
        {"http://localhost:3000", "localhost", NULL, 3000, false},
        {"http://localhost:3000/", "localhost", NULL, 3000, false},
        {"http://web", "web", NULL, 80, false},
        {"https://localhost:8443", "localhost", NULL, 8443, true},
        {"https://[::1]", "::1", NULL, 443, true},
        {"unix:/run/app.sock", "localhost", "/run/app.sock", 3000, false},
    };
    struct dotenv none;
    dotenv_init(&none);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *args[ARGS_MAX] = {"-v", rows[i].word, "--name", "demo"};
        struct options options;
        char error[512];
        if (!parse(&options, args, &none, error)) fail_msg("%s: %s", rows[i].word, error);
        if (strcmp(options.tunnel.host, rows[i].host) || options.tunnel.port != rows[i].port ||
            options.tunnel.local_https != rows[i].https)
            fail_msg("%s: %s %ld %d", rows[i].word, options.tunnel.host, options.tunnel.port,
                     options.tunnel.local_https);
        if (!rows[i].unix_path != !options.tunnel.unix_path) fail_msg("%s", rows[i].word);
        if (rows[i].unix_path) assert_string_equal(options.tunnel.unix_path, rows[i].unix_path);
    }
    dotenv_done(&none);
}

/* The token of a flag, of the environment, of `.env`, and files of flags and of the environment. */
static void which_token_is_taken(void **state) {
    (void)state;
    enum { T_FLAG = 1, T_ENV = 2, T_DOT = 4, F_FLAG = 8, F_ENV = 16, F_DOT = 32, E_DOT = 64 };
    static const struct {
        int given;
        const char *token, *file; /* both NULL: none */
        bool fails, withheld;
    } rows[] = {
        {F_FLAG, NULL, "flag", false, false},
        {F_ENV, NULL, "env", false, false},
        {F_DOT, NULL, NULL, false, false},
        {F_FLAG | F_ENV, NULL, "flag", false, false},
        {T_FLAG | F_FLAG, NULL, NULL, true, false},
        {T_ENV | F_ENV, NULL, NULL, true, false},
        {T_FLAG | F_ENV, "t", NULL, false, false},
        {T_ENV | F_FLAG, NULL, "flag", false, false},
        {T_DOT | F_ENV, NULL, "env", false, false},
        {T_DOT | F_FLAG, NULL, "flag", false, false},
        {T_DOT | F_ENV | E_DOT, "d", NULL, false, false},
        {F_ENV | E_DOT, NULL, NULL, false, true},
        {F_FLAG | E_DOT, NULL, NULL, false, true},
        {T_ENV | E_DOT, NULL, NULL, false, true},
        {T_DOT | E_DOT, "d", NULL, false, false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int given = rows[i].given;
        struct dotenv dotenv;
        struct options options;
        char error[512];
        const char *args[ARGS_MAX] = {NULL};
        size_t count = 0;
        dotenv_init(&dotenv);
        if (given & T_DOT) assert_true(dotenv_parse(&dotenv, VIEW("TTF_TOKEN=d\n")));
        if (given & F_DOT) assert_true(dotenv_parse(&dotenv, VIEW("TTF_TOKEN_FILE=dot\n")));
        if (given & E_DOT) assert_true(dotenv_parse(&dotenv, VIEW("TTF_ENDPOINT=ws://x\n")));
        if (given & T_ENV) setenv("TTF_TOKEN", "t", 1);
        if (given & F_ENV) setenv("TTF_TOKEN_FILE", "env", 1);
        if (given & T_FLAG) args[count++] = "-tt";
        if (given & F_FLAG) args[count++] = "--token-file=flag";
        bool ok = parse(&options, args, &dotenv, error);
        if (ok == rows[i].fails) fail_msg("%zu: %s", i, error);
        if (ok && (!options.token != !rows[i].token || !options.token_file != !rows[i].file ||
                   options.token_withheld != rows[i].withheld))
            fail_msg("%zu: token %s, file %s, withheld %d", i, options.token, options.token_file,
                     options.token_withheld);
        if (ok && rows[i].token) assert_string_equal(options.token, rows[i].token);
        if (ok && rows[i].file) assert_string_equal(options.token_file, rows[i].file);
        unsetenv("TTF_TOKEN");
        unsetenv("TTF_TOKEN_FILE");
        dotenv_done(&dotenv);
    }
}

/* As with a file; and of several ways to a token one is left. */
static void a_command_for_the_token(void **state) {
    (void)state;
    static const struct {
        const char *dotenv, *variable, *args[3];
        bool has_token, has_file, has_command, withheld, fails;
    } rows[] = {
        {"", "c", {NULL}, false, false, true, false, false},
        {"TTF_TOKEN_COMMAND=c\n", NULL, {NULL}, false, false, false, false, false},
        {"TTF_TOKEN=d\n", "c", {NULL}, false, false, true, false, false},
        {"TTF_TOKEN=d\nTTF_ENDPOINT=ws://x\n", "c", {NULL}, true, false, false, false, false},
        {"TTF_ENDPOINT=ws://x\n", "c", {NULL}, false, false, false, true, false},
        {"", "c", {"--token-file=f"}, false, true, false, false, false},
        {"", "c", {"-tt"}, true, false, false, false, false},
        {"", "c", {"--token-command=d"}, false, false, true, false, false},
        {"", NULL, {"--token-command=d", "-tt"}, false, false, false, false, true},
        {"", NULL, {"--token-file=f", "--token-command=d"}, false, false, false, false, true},
        {"", "c", {"--token-file=f", "-tt"}, false, false, false, false, true},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct dotenv dotenv;
        struct options options;
        char error[512];
        const char *args[ARGS_MAX] = {rows[i].args[0], rows[i].args[1]};
        dotenv_init(&dotenv);
        assert_true(dotenv_parse(&dotenv, view_from_cstr(rows[i].dotenv)));
        if (rows[i].variable) setenv("TTF_TOKEN_COMMAND", rows[i].variable, 1);
        bool ok = parse(&options, args, &dotenv, error);
        if (ok == rows[i].fails) fail_msg("%zu: %s", i, error);
        if (ok &&
            (!options.token == rows[i].has_token || !options.token_file == rows[i].has_file ||
             !options.token_command == rows[i].has_command || options.token_withheld != rows[i].withheld))
            fail_msg("%zu: %s %s %s", i, options.token, options.token_file, options.token_command);
        unsetenv("TTF_TOKEN_COMMAND");
        dotenv_done(&dotenv);
    }
}

static void every_way_to_write_one(void **state) {
    (void)state;
    static const char *const ways[][ARGS_MAX] = {
        {"-p", "81", "-v"}, {"-p81", "-v"}, {"-vp", "81"}, {"-vp81"}, {"--port", "81", "--verbose"},
        {"--port=81", "-v"}};
    struct dotenv none;
    dotenv_init(&none);
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        struct options options;
        char error[512];
        if (!parse(&options, ways[i], &none, error)) fail_msg("%zu: %s", i, error);
        assert_int_equal(options.tunnel.port, 81);
        assert_true(options.verbose);
    }
    dotenv_done(&none);
}

static void whose_token_goes_where(void **state) {
    (void)state;
    enum { NOBODY, FILE_, ENVIRONMENT, FLAG };
    static const struct {
        int endpoint, token;
        bool sent;
    } rows[] = {{FILE_, FILE_, true},     {FILE_, ENVIRONMENT, false}, {FILE_, FLAG, false},
                {FLAG, FILE_, true},      {FLAG, ENVIRONMENT, true},   {FLAG, FLAG, true},
                {NOBODY, FILE_, true},    {NOBODY, ENVIRONMENT, true}, {ENVIRONMENT, FILE_, true},
                {ENVIRONMENT, FLAG, true}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct dotenv dotenv;
        struct options options;
        char error[512];
        const char *args[ARGS_MAX] = {NULL};
        size_t count = 0;
        dotenv_init(&dotenv);
        if (rows[i].endpoint == FILE_) assert_true(dotenv_parse(&dotenv, VIEW("TTF_ENDPOINT=ws://a\n")));
        if (rows[i].token == FILE_) assert_true(dotenv_parse(&dotenv, VIEW("TTF_TOKEN=t\n")));
        if (rows[i].endpoint == ENVIRONMENT) setenv("TTF_ENDPOINT", "ws://a", 1);
        if (rows[i].token == ENVIRONMENT) setenv("TTF_TOKEN", "t", 1);
        if (rows[i].endpoint == FLAG) args[count++] = "-ews://a";
        if (rows[i].token == FLAG) args[count++] = "-tt";
        assert_true(parse(&options, args, &dotenv, error));
        if ((options.token != NULL) != rows[i].sent || options.token_withheld == rows[i].sent)
            fail_msg("%zu", i);
        assert_int_equal(options.endpoint_is_of_file, rows[i].endpoint == FILE_);
        unsetenv("TTF_ENDPOINT");
        unsetenv("TTF_TOKEN");
        dotenv_done(&dotenv);
    }
}

static void addresses_in_brackets(void **state) {
    (void)state;
    static const char *const ways[][ARGS_MAX] = {{"--host", "[::1]"}, {"--host", "::1"}, {"--host=[::1]"}};
    struct dotenv none;
    dotenv_init(&none);
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        struct options options;
        char error[512];
        if (!parse(&options, ways[i], &none, error)) fail_msg("%zu: %s", i, error);
        assert_string_equal(options.tunnel.host, "::1");
    }
    dotenv_done(&none);
}

static void who_wins(void **state) {
    (void)state;
    static const char *const no_args[] = {NULL};
    static const char *const flags[] = {"-e", "ws://flag", "-t", "flag", NULL};
    struct dotenv dotenv;
    struct options options;
    char error[512];
    dotenv_init(&dotenv);
    assert_true(dotenv_parse(&dotenv, VIEW("TTF_ENDPOINT=ws://file\nTTF_TOKEN=file\n")));

    unsetenv("TTF_ENDPOINT");
    unsetenv("TTF_TOKEN");
    assert_true(parse(&options, no_args, &dotenv, error));
    assert_string_equal(options.endpoint, "ws://file");
    assert_string_equal(options.token, "file");

    setenv("TTF_ENDPOINT", "ws://environment", 1);
    setenv("TTF_TOKEN", "", 1); /* empty counts as unset */
    assert_true(parse(&options, no_args, &dotenv, error));
    assert_string_equal(options.endpoint, "ws://environment");
    assert_string_equal(options.token, "file");

    assert_true(parse(&options, flags, &dotenv, error));
    assert_string_equal(options.endpoint, "ws://flag");
    assert_string_equal(options.token, "flag");
    unsetenv("TTF_ENDPOINT");
    unsetenv("TTF_TOKEN");
    dotenv_done(&dotenv);
}

static void help_names_every_option(void **state) {
    (void)state;
    static const char *const names[] = {"-e, --endpoint URL",
                                        "-p, --port PORT",
                                        "--host HOST",
                                        "-t, --token TOKEN",
                                        "-n, --name NAME",
                                        "-v, --verbose",
                                        "--connect-timeout SECONDS",
                                        "--request-timeout SECONDS",
                                        "--ca-file FILE",
                                        "-h, --help",
                                        "-V, --version",
                                        "TTF_ENDPOINT",
                                        "TTF_TOKEN"};
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    options_help(out, NULL, HELP_ALL);
    fclose(out);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (!strstr(text, names[i])) fail_msg("%s is missing", names[i]);
    free(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_command_lines),
        cmocka_unit_test(defaults),
        cmocka_unit_test(services),
        cmocka_unit_test(which_token_is_taken),
        cmocka_unit_test(a_command_for_the_token),
        cmocka_unit_test(every_way_to_write_one),
        cmocka_unit_test(who_wins),
        cmocka_unit_test(addresses_in_brackets),
        cmocka_unit_test(whose_token_goes_where),
        cmocka_unit_test(help_names_every_option),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
