#include <ftw.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <unistd.h>

#include "agent.h"
#include "cmocka_setup.h"

/* A gateway that takes connections and never answers: tunnels of it stay as they are. */
struct bench {
    struct loop loop;
    struct console console;
    struct endpoint endpoint;
    struct token token;
    struct agent *agent;
    int gateway;
    int exits, code;
    char dir[64], error[512];
};

static void on_exit_wanted(void *ctx, int code) {
    struct bench *bench = ctx;
    bench->exits++;
    bench->code = code;
    loop_quit(&bench->loop);
}

static int listen_somewhere(char *url, size_t size) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(fd, 16), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    snprintf(url, size, "ws://127.0.0.1:%u", ntohs(address.sin_port));
    return fd;
}

static int set_up(void **state) {
    struct bench *bench = calloc(1, sizeof(*bench));
    char url[64];
    snprintf(bench->dir, sizeof(bench->dir), "/tmp/test_agent.XXXXXX");
    assert_non_null(mkdtemp(bench->dir));
    setenv("XDG_STATE_HOME", bench->dir, 1);
    bench->gateway = listen_somewhere(url, sizeof(url));
    assert_true(loop_init(&bench->loop));
    assert_true(console_init(&bench->console, &(struct console_settings){0}));
    assert_true(endpoint_parse(url, &bench->endpoint, bench->error, sizeof(bench->error)));
    struct agent_settings settings = {.endpoint = &bench->endpoint,
                                      .token = &bench->token,
                                      .connect_timeout_ms = 10000,
                                      .console = &bench->console};
    bench->agent =
        agent_new(&bench->loop, &settings, on_exit_wanted, bench, bench->error, sizeof(bench->error));
    assert_non_null(bench->agent);
    *state = bench;
    return 0;
}

static int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *where) {
    (void)info, (void)kind, (void)where;
    return remove(path);
}

static int tear_down(void **state) {
    struct bench *bench = *state;
    agent_shut(bench->agent);
    assert_true(loop_done_within(&bench->loop, 5000));
    agent_free(bench->agent);
    console_done(&bench->console);
    close(bench->gateway);
    assert_int_equal(nftw(bench->dir, remove_entry, 4, FTW_DEPTH | FTW_PHYS), 0);
    free(bench);
    return 0;
}

static struct agent_tunnel *add(struct bench *bench, const char *label, const char *name) {
    struct tunnel_options options = {.label = label, .name = name};
    tunnel_options_complete(&options);
    return agent_add(bench->agent, &options, bench->error, sizeof(bench->error));
}

static void tunnels_come_and_go(void **state) {
    struct bench *bench = *state;
    struct agent_tunnel *web = add(bench, "web", NULL), *api = add(bench, "api", "demo");
    assert_non_null(web);
    assert_non_null(api);
    assert_ptr_equal(agent_first(bench->agent), web);
    assert_ptr_equal(agent_next(bench->agent, web), api);
    assert_null(agent_next(bench->agent, api));
    assert_string_equal(agent_tunnel_options(api)->name, "demo");
    assert_false(agent_tunnel_is_up(web));
    assert_null(agent_tunnel_url(web));

    agent_start(bench->agent);
    struct agent_tunnel *late = add(bench, "late", NULL);
    agent_remove(bench->agent, web);
    assert_null(agent_find(bench->agent, "web"));
    assert_non_null(add(bench, "web", NULL));
    agent_remove(bench->agent, late);
    agent_remove(bench->agent, api);
    assert_non_null(add(bench, "api", "demo")); /* at once */
    assert_int_equal(bench->exits, 0);

    agent_stop(bench->agent);
    loop_run(&bench->loop);
    assert_int_equal(bench->exits, 1);
    assert_int_equal(bench->code, 0);
    assert_null(agent_first(bench->agent));
}

static void the_last_one_removed_ends_it(void **state) {
    struct bench *bench = *state;
    struct agent_tunnel *web = add(bench, "web", NULL);
    agent_start(bench->agent);
    agent_remove(bench->agent, web);
    loop_run(&bench->loop);
    assert_int_equal(bench->exits, 1);
    assert_int_equal(bench->code, 0);
}

static void one_that_cannot_be_added_changes_nothing(void **state) {
    struct bench *bench = *state;
    assert_non_null(add(bench, "web", "demo"));
    assert_null(add(bench, "web", NULL));
    assert_string_equal(bench->error, "there is a tunnel 'web' already");
    assert_null(add(bench, "other", "demo"));
    assert_non_null(strstr(bench->error, "already runs the tunnel 'demo'"));
    assert_null(agent_find(bench->agent, "other"));
    assert_null(agent_next(bench->agent, agent_first(bench->agent)));
}

static void labels(void **state) {
    (void)state;
    static const char *const good[] = {"a", "web", "Web-1", "a.b_c", "0"};
    static const char *const bad[] = {"", "-a", ".", "a b", "a/b", "\x1b[m", "a\n", "ä"};
    char longest[TUNNEL_LABEL_MAX + 2];
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) assert_true(tunnel_label_is_sane(good[i]));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) assert_false(tunnel_label_is_sane(bad[i]));
    memset(longest, 'a', sizeof(longest));
    longest[TUNNEL_LABEL_MAX + 1] = '\0';
    assert_false(tunnel_label_is_sane(longest));
    longest[TUNNEL_LABEL_MAX] = '\0';
    assert_true(tunnel_label_is_sane(longest));
}

static void copies_are_equal(void **state) {
    (void)state;
    struct tunnel_options options = {.label = "web", .host = "localhost", .port = 1, .rewrite = "on"}, copy;
    void *texts = tunnel_options_copy(&options, &copy);
    assert_non_null(texts);
    assert_ptr_not_equal(copy.label, options.label);
    assert_true(tunnel_options_are_equal(&options, &copy));
    copy.rewrite = NULL;
    assert_false(tunnel_options_are_equal(&options, &copy));
    copy = options;
    copy.no_hints = true;
    assert_false(tunnel_options_are_equal(&options, &copy));
    copy = options;
    copy.port = 2;
    assert_false(tunnel_options_are_equal(&options, &copy));
    copy = options;
    copy.host = "localhosT";
    assert_false(tunnel_options_are_equal(&options, &copy));
    free(texts);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(tunnels_come_and_go, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_last_one_removed_ends_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_that_cannot_be_added_changes_nothing, set_up, tear_down),
        cmocka_unit_test(labels),
        cmocka_unit_test(copies_are_equal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
