/* Names that need no name server, and look-ups that are given up. (Those that do need one:
 * tests/lambda/test_package.py.) */
#include <string.h>

#include "cmocka_setup.h"
#include "direct/resolver_ares.h"
#include "net/loop.h"

struct scene {
    struct loop loop;
    struct resolver_ares *resolver;
    unsigned answers;
    int error;
    struct addresses addresses;
};

static void on_addresses(void *ctx, int error, const struct addresses *addresses) {
    struct scene *scene = ctx;
    scene->answers++;
    scene->error = error;
    scene->addresses = *addresses;
}

static void scene_init(struct scene *scene) {
    *scene = (struct scene){0};
    assert_true(loop_init(&scene->loop));
    scene->resolver = resolver_ares_new(&scene->loop);
    assert_non_null(scene->resolver);
}

static void scene_done(struct scene *scene) {
    resolver_ares_free(scene->resolver);
    loop_done(&scene->loop);
}

static void look_up(struct scene *scene, const char *host) {
    scene->answers = 0;
    resolver_ares_lookup(scene->resolver, host, 443, on_addresses, scene);
    assert_int_equal(scene->answers, 0); /* never within the call */
    while (!scene->answers) uv_run(&scene->loop.uv, UV_RUN_NOWAIT);
    assert_int_equal(scene->answers, 1);
}

static void test_addresses(void **state) {
    static const struct {
        const char *host, *first;
        size_t count;
    } rows[] = {{"127.0.0.2", "127.0.0.2", 1},
                {"2001:db8::1", "2001:db8::1", 1},
                {"localhost", "127.0.0.1", 2},
                {"abc.execute-api.LOCALHOST", "127.0.0.1", 2}};
    struct scene scene;
    (void)state;
    scene_init(&scene);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        look_up(&scene, rows[i].host);
        assert_int_equal(scene.error, 0);
        assert_int_equal(scene.addresses.count, rows[i].count);
        assert_string_equal(scene.addresses.list[0].text, rows[i].first);
        struct sockaddr_in name;
        memcpy(&name, &scene.addresses.list[0].socket_address, sizeof(name));
        assert_int_equal(ntohs(name.sin_port), 443); /* at the same place in either family */
    }
    scene_done(&scene);
}

static void test_a_name_that_cannot_be(void **state) {
    struct scene scene;
    (void)state;
    scene_init(&scene);
    look_up(&scene, "a..b");
    assert_int_not_equal(scene.error, 0);
    assert_int_equal(scene.addresses.count, 0);
    scene_done(&scene);
}

/* Given up by a cancellation, by the next look-up, by the end of all. */
static void test_giving_up(void **state) {
    struct scene scene;
    (void)state;
    scene_init(&scene);
    resolver_ares_lookup(scene.resolver, "nobody.invalid", 1, on_addresses, &scene);
    resolver_ares_cancel(scene.resolver);
    resolver_ares_lookup(scene.resolver, "127.0.0.1", 1, on_addresses, &scene);
    resolver_ares_cancel(scene.resolver);
    resolver_ares_lookup(scene.resolver, "somebody.invalid", 1, on_addresses, &scene);
    look_up(&scene, "127.0.0.3");
    assert_string_equal(scene.addresses.list[0].text, "127.0.0.3");
    scene.answers = 0;
    resolver_ares_lookup(scene.resolver, "nobody.invalid", 1, on_addresses, &scene);
    scene_done(&scene);
    assert_int_equal(scene.answers, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_a_name_that_cannot_be),
        cmocka_unit_test(test_giving_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
