/* The loop and what hangs on it: tasks, timers, hooks; listening on both families; clients and their limits;
 * the secret. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/platform.h"
#include "cmocka_setup.h"
#include "config/secret_file.h"
#include "net/loop.h"
#include "sockets/listener.h"

struct scene {
    struct loop loop;
    struct task task;
    struct timer timer;
    struct loop_hook hook;
    int tasks_run, hooks_run, accepted;
    struct clients clients;
    struct client *last;
};

static void on_task(struct task *task) {
    struct scene *scene = LIST_ENTRY(task, struct scene, task);
    if (++scene->tasks_run < 1000)
        tasks_post(&scene->loop.tasks, task);
    else
        timer_start(&scene->loop.timers, &scene->timer, 5);
}

static void on_timer(struct timer *timer) {
    struct scene *scene = LIST_ENTRY(timer, struct scene, timer);
    loop_quit(&scene->loop);
}

static bool on_hook(struct loop_hook *hook) {
    struct scene *scene = LIST_ENTRY(hook, struct scene, hook);
    scene->hooks_run++;
    return false;
}

static void test_turns(void **state) {
    (void)state;
    struct scene scene = {0};
    assert_true(loop_init(&scene.loop));
    task_init(&scene.task, on_task);
    timer_init(&scene.timer, on_timer);
    loop_hook_init(&scene.hook, on_hook);
    loop_hook_add(&scene.loop, &scene.hook);
    tasks_post(&scene.loop.tasks, &scene.task);
    loop_run(&scene.loop); /* would hang if a task waited for I/O, or a timer were not armed */
    assert_int_equal(scene.tasks_run, 1000);
    assert_true(scene.hooks_run > 0);
    loop_hook_remove(&scene.hook);
    loop_done(&scene.loop);
}

static void on_stop(void *ctx, unsigned times, int number) {
    struct scene *scene = ctx;
    assert_int_equal(times, 1);
    assert_int_equal(number, SIGTERM);
    loop_quit(&scene->loop);
}

/* Who is told to stop again while it cleans up still ends well. */
static void test_stop_again(void **state) {
    (void)state;
    static const int numbers[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR2};
    struct scene scene = {0};
    assert_true(loop_init(&scene.loop));
    loop_on_stop(&scene.loop, on_stop, &scene);
    raise(SIGTERM);
    loop_run(&scene.loop);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) raise(numbers[i]);
    loop_done(&scene.loop);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        raise(numbers[i]);
        signal(numbers[i], SIG_DFL);
    }
}

/* Who starts has no handlers yet: what comes meanwhile is not lost. */
static void test_signals_before_there_are_handlers(void **state) {
    (void)state;
    struct scene scene = {0};
    platform_hold_signals();
    raise(SIGTERM);
    assert_true(loop_init(&scene.loop));
    loop_on_stop(&scene.loop, on_stop, &scene);
    platform_let_signals();
    loop_run(&scene.loop);
    loop_done(&scene.loop);
    signal(SIGTERM, SIG_DFL);
}

static void on_accepted(void *ctx, int fd, struct client *client, const struct sockaddr *address,
                        socklen_t len) {
    (void)address, (void)len;
    struct scene *scene = ctx;
    close(fd);
    scene->last = client;
    scene->accepted++;
    loop_quit(&scene->loop);
}

static int connect_to(int family, uint16_t port) {
    struct sockaddr_in v4 = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in6 v6 = {
        .sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    int fd = socket(family, SOCK_STREAM, 0);
    if (fd < 0) return -1;
    int result = family == AF_INET ? connect(fd, (struct sockaddr *)&v4, sizeof(v4))
                                   : connect(fd, (struct sockaddr *)&v6, sizeof(v6));
    if (result == 0) return fd;
    close(fd);
    return -1;
}

static void test_listening(void **state) {
    (void)state;
    struct scene scene = {0};
    const char *why;
    struct listen_address address;
    assert_true(loop_init(&scene.loop));
    clients_init(&scene.clients, 10, 1, NULL, 0);
    assert_true(listen_address_parse(VIEW("loopback:0"), &address, &why));
    struct listener *listener =
        listener_new(&scene.loop, &address, &scene.clients, on_accepted, &scene, &why);
    assert_non_null(listener);
    assert_true(listener_port(listener) > 0);
    char text[ADDRESS_TEXT_MAX], expected[ADDRESS_TEXT_MAX];
    listener_text(listener, text);
    snprintf(expected, sizeof(expected), "127.0.0.1:%u", listener_port(listener));
    assert_string_equal(text, expected);

    static const int families[] = {AF_INET, AF_INET6};
    for (int i = 0; i < 2; i++) {
        int fd = connect_to(families[i], listener_port(listener));
        if (fd < 0 && families[i] == AF_INET6) continue; /* a machine without it */
        assert_true(fd >= 0);
        loop_run(&scene.loop);
        assert_string_equal(scene.last->text, families[i] == AF_INET ? "127.0.0.1" : "::1");
        client_release(scene.last);
        close(fd);
    }
    assert_true(scene.accepted >= 1);

    address.port = listener_port(listener);
    assert_null(listener_new(&scene.loop, &address, &scene.clients, on_accepted, &scene, &why));
    assert_non_null(why);
    listener_free(listener);
    loop_done(&scene.loop);
    clients_done(&scene.clients);
}

static struct sockaddr_in v4_of(const char *text) {
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    assert_int_equal(inet_pton(AF_INET, text, &v4.sin_addr), 1);
    return v4;
}

static void test_peers(void **state) {
    (void)state;
    struct network proxy;
    struct clients clients;
    assert_true(network_parse(VIEW("10.0.0.1"), &proxy));
    clients_init(&clients, 5, 2, &proxy, 1);
    struct sockaddr_in a = v4_of("192.0.2.1"), p = v4_of("10.0.0.1");
    struct client *first = clients_take(&clients, (struct sockaddr *)&a),
                  *second = clients_take(&clients, (struct sockaddr *)&a);
    assert_ptr_equal(first, second);
    assert_null(clients_take(&clients, (struct sockaddr *)&a));
    client_release(first);
    assert_non_null(clients_take(&clients, (struct sockaddr *)&a));
    struct client *proxies[3];
    for (int i = 0; i < 3; i++) assert_non_null(proxies[i] = clients_take(&clients, (struct sockaddr *)&p));
    assert_true(proxies[0]->is_proxy);
    assert_null(clients_take(&clients, (struct sockaddr *)&p)); /* the total */
    for (int i = 0; i < 3; i++) client_release(proxies[i]);
    client_release(second);
    client_release(second);
    assert_int_equal(clients.count, 0);
    clients_done(&clients);
}

static void test_secret(void **state) {
    (void)state;
    char directory[] = "/tmp/ttf-secret-XXXXXX", path[128], nested[64];
    assert_non_null(mkdtemp(directory));
    snprintf(nested, sizeof(nested), "%s/a/b", directory);
    snprintf(path, sizeof(path), "%s/secret", nested);
    struct config config = {.state_dir = nested};
    struct secret_keys made, again, given;
    assert_true(secret_load(&config, &made));
    assert_true(secret_load(&config, &again));
    assert_memory_equal(&made, &again, sizeof(made));
    struct stat info;
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    assert_int_equal(info.st_size, 64);
    assert_int_equal(stat(nested, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0700);

    char secret[] = "0123456789abcdef0123456789abcdef";
    struct config by_text = {.secret = secret}, by_file = {.secret_file = path};
    assert_true(secret_load(&by_text, &given));
    assert_memory_not_equal(&made, &given, sizeof(made));
    assert_memory_not_equal(made.resume, made.peer, SECRET_LEN);
    assert_true(secret_load(&by_file, &again));
    assert_memory_equal(&made, &again, sizeof(made));
    assert_int_equal(chmod(path, 0602), 0); /* others can write it */
    assert_false(secret_load(&by_file, &again));
    assert_false(secret_load(&config, &again));
    assert_int_equal(chmod(path, 0644), 0);
    assert_true(secret_load(&by_file, &again));
    assert_int_equal(truncate(path, 8), 0);
    assert_false(secret_load(&by_file, &again));
    assert_false(secret_load(&config, &again));
    assert_int_equal(unlink(path), 0);
    assert_false(secret_load(&by_file, &again));
    rmdir(nested);
    snprintf(nested, sizeof(nested), "%s/a", directory);
    rmdir(nested);
    rmdir(directory);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_turns),
        cmocka_unit_test(test_stop_again),
        cmocka_unit_test(test_signals_before_there_are_handlers),
        cmocka_unit_test(test_listening),
        cmocka_unit_test(test_peers),
        cmocka_unit_test(test_secret),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
