/* When files that are watched are read: a look at a time, made by hand. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmocka_setup.h"
#include "config/file_watch.h"

struct scene {
    struct loop loop;
    struct file_watch watch;
    char folder[32], first[64], second[64];
    unsigned read, looked;
};

static void on_name(void *ctx, uint64_t *mark) {
    struct scene *scene = ctx;
    file_watch_add(mark, view_from_cstr(scene->first));
    file_watch_add(mark, view_from_cstr(scene->second));
}

static void on_read(void *ctx) {
    struct scene *scene = ctx;
    scene->read++;
}

static void on_looked(void *ctx) {
    struct scene *scene = ctx;
    scene->looked++;
}

static const struct file_watch_owner owner = {on_name, on_read, on_looked};
static const struct file_watch_owner owner_who_does_not_look = {.name = on_name, .read = on_read};

/* Whatever the clock of the file system can tell apart, the size differs. */
static void write_file(const char *path, const char *text) {
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* Not started yet. */
static void scene_prepare(struct scene *scene, const struct file_watch_owner *whose) {
    *scene = (struct scene){.folder = "/tmp/ttf-watch-XXXXXX"};
    assert_non_null(mkdtemp(scene->folder));
    snprintf(scene->first, sizeof(scene->first), "%s/first", scene->folder);
    snprintf(scene->second, sizeof(scene->second), "%s/second", scene->folder);
    write_file(scene->first, "1");
    assert_true(loop_init(&scene->loop));
    file_watch_init(&scene->watch, whose, scene);
}

static void scene_init(struct scene *scene, const struct file_watch_owner *whose) {
    scene_prepare(scene, whose);
    file_watch_start(&scene->watch, &scene->loop);
}

static void scene_done(struct scene *scene) {
    file_watch_stop(&scene->watch);
    loop_done(&scene->loop);
    unlink(scene->first);
    unlink(scene->second);
    assert_int_equal(rmdir(scene->folder), 0);
}

/* As the loop does when the second is over. */
static void look(struct scene *scene) {
    assert_true(timer_armed(&scene->watch.look));
    timer_stop(&scene->loop.timers, &scene->watch.look);
    scene->watch.look.fn(&scene->watch.look);
    assert_true(timer_armed(&scene->watch.look));
}

static void test_what_stays_is_not_read(void **state) {
    (void)state;
    struct scene scene;
    scene_init(&scene, &owner);
    for (int i = 0; i < 3; i++) look(&scene);
    assert_int_equal(scene.read, 0);
    assert_int_equal(scene.looked, 3);
    scene_done(&scene);
}

static void in_place(struct scene *scene) {
    write_file(scene->first, "longer");
}

static void by_rename(struct scene *scene) {
    char fresh[72];
    snprintf(fresh, sizeof(fresh), "%s.new", scene->first);
    write_file(fresh, "1");
    assert_int_equal(rename(fresh, scene->first), 0);
}

static void by_link(struct scene *scene) {
    unlink(scene->first);
    assert_int_equal(symlink("/dev/null", scene->first), 0);
}

static void second_comes(struct scene *scene) {
    write_file(scene->second, "2");
}

static void first_goes(struct scene *scene) {
    assert_int_equal(unlink(scene->first), 0);
}

static void only_time(struct scene *scene) {
    const struct timespec times[] = {{1000, 5}, {1000, 5}};
    assert_int_equal(utimensat(AT_FDCWD, scene->first, times, 0), 0);
}

static void test_changes(void **state) {
    static void (*const changes[])(struct scene * scene) = {in_place,     by_rename,  by_link,
                                                            second_comes, first_goes, only_time};
    (void)state;
    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        struct scene scene;
        scene_init(&scene, &owner);
        look(&scene);
        changes[i](&scene);
        look(&scene);
        assert_int_equal(scene.read, 0); /* it may be under way */
        look(&scene);
        assert_int_equal(scene.read, 1);
        look(&scene);
        assert_int_equal(scene.read, 1);
        scene_done(&scene);
    }
}

static void test_while_it_is_being_written(void **state) {
    static const char *const texts[] = {"22", "333", "4444"};
    (void)state;
    struct scene scene;
    scene_init(&scene, &owner);
    for (int i = 0; i < 3; i++) {
        write_file(scene.first, texts[i]);
        look(&scene);
    }
    assert_int_equal(scene.read, 0);
    look(&scene);
    assert_int_equal(scene.read, 1);
    scene_done(&scene);
}

/* At the start files are read behind file_watch_init(): what comes while they are is seen. */
static void test_between_init_and_start(void **state) {
    (void)state;
    struct scene scene;
    scene_prepare(&scene, &owner);
    write_file(scene.first, "while it was read");
    file_watch_start(&scene.watch, &scene.loop);
    look(&scene);
    look(&scene);
    assert_int_equal(scene.read, 1);
    scene_done(&scene);
}

static void test_an_owner_who_does_not_look(void **state) {
    (void)state;
    struct scene scene;
    scene_init(&scene, &owner_who_does_not_look);
    in_place(&scene);
    look(&scene);
    look(&scene);
    assert_int_equal(scene.read, 1);
    assert_int_equal(scene.looked, 0);
    scene_done(&scene);
}

static void test_hangup(void **state) {
    (void)state;
    struct scene scene;
    scene_init(&scene, &owner);
    in_place(&scene);
    raise(SIGHUP);
    while (!scene.read) uv_run(&scene.loop.uv, UV_RUN_ONCE);
    assert_int_equal(scene.read, 1); /* at once, also what is new */
    look(&scene);
    look(&scene);
    assert_int_equal(scene.read, 1); /* and not once more */
    scene_done(&scene);
}

static void test_the_second_is_over(void **state) {
    (void)state;
    struct scene scene;
    scene_init(&scene, &owner);
    int64_t in_ms = timers_next_ms(&scene.loop.timers);
    assert_in_range(in_ms, 1, FILE_WATCH_LOOK_MS);
    while (!scene.looked) uv_run(&scene.loop.uv, UV_RUN_ONCE);
    scene_done(&scene);
}

static void test_stopped(void **state) {
    (void)state;
    struct scene scene;
    scene_init(&scene, &owner);
    file_watch_stop(&scene.watch);
    assert_false(timer_armed(&scene.watch.look));
    scene_done(&scene); /* which stops it again */
    struct file_watch never = {0};
    file_watch_stop(&never);
}

static void test_a_path_that_is_too_long(void **state) {
    (void)state;
    char path[5000];
    memset(path, 'a', sizeof(path));
    uint64_t too_long = 7, missing = 7, other = 7;
    file_watch_add(&too_long, view_of(path, sizeof(path)));
    file_watch_add(&missing, VIEW("/nowhere/file"));
    file_watch_add(&other, VIEW("/dev/null"));
    assert_true(too_long == missing);
    assert_true(too_long != 7);
    assert_true(other != missing);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_stays_is_not_read),     cmocka_unit_test(test_changes),
        cmocka_unit_test(test_while_it_is_being_written),  cmocka_unit_test(test_between_init_and_start),
        cmocka_unit_test(test_an_owner_who_does_not_look), cmocka_unit_test(test_hangup),
        cmocka_unit_test(test_the_second_is_over),         cmocka_unit_test(test_stopped),
        cmocka_unit_test(test_a_path_that_is_too_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
