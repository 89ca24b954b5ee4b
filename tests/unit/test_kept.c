/* gateway/store/kept: of answers that wait for Redis, who loses which when there are too many. */
#include <stdlib.h>

#include "cmocka_setup.h"
#include "store/kept.h"

enum { ANSWERS = 32, COUNT_MAX = 6, BYTES_MAX = 600 };

struct scene {
    struct kept kept;
    struct kept_answer answers[ANSWERS];
};

static int set_up(void **state) {
    struct scene *scene = calloc(1, sizeof(*scene));
    kept_init(&scene->kept, COUNT_MAX, BYTES_MAX);
    *state = scene;
    return 0;
}

/* Whatever a test has done, nothing is left of it when all have been taken off. */
static int tear_down(void **state) {
    struct scene *scene = *state;
    for (size_t i = 0; i < ANSWERS; i++)
        if (scene->answers[i].agent) kept_remove(&scene->kept, &scene->answers[i]);
    assert_int_equal(scene->kept.count, 0);
    assert_int_equal(scene->kept.bytes, 0);
    assert_int_equal(scene->kept.agents.count, 0);
    assert_true(list_empty(&scene->kept.answers));
    kept_done(&scene->kept);
    free(scene);
    return 0;
}

static void add(struct scene *scene, size_t number, const char *agent, size_t bytes) {
    assert_true(kept_add(&scene->kept, &scene->answers[number], view_from_cstr(agent), bytes));
}

/* -1: there is room for all. */
static long number_of(const struct scene *scene, const struct kept_answer *answer) {
    return answer ? answer - scene->answers : -1;
}

static long too_many(struct scene *scene) {
    return number_of(scene, kept_too_many(&scene->kept));
}

static long too_large(struct scene *scene) {
    return number_of(scene, kept_too_large(&scene->kept));
}

static void who_is_alone_has_it_all(void **state) {
    struct scene *scene = *state;
    add(scene, 0, "a", BYTES_MAX / 2);
    add(scene, 1, "a", BYTES_MAX / 2);
    assert_int_equal(too_large(scene), -1);
    add(scene, 2, "a", 1);
    assert_int_equal(too_large(scene), 2);
    kept_remove(&scene->kept, &scene->answers[2]);
    for (size_t i = 2; i < COUNT_MAX; i++) add(scene, i, "a", 0);
    assert_int_equal(too_many(scene), -1);
    add(scene, COUNT_MAX, "a", 0);
    assert_int_equal(too_many(scene), COUNT_MAX);
}

static void who_has_most_bytes_loses_the_last(void **state) {
    struct scene *scene = *state;
    add(scene, 0, "greedy", 290);
    add(scene, 1, "greedy", 290);
    for (size_t i = 2; i < 5; i++) add(scene, i, "small", 1); /* more of them, but not more */
    add(scene, 5, "other", 100);
    assert_int_equal(too_large(scene), 1);
    kept_shrink(&scene->kept, &scene->answers[1]);
    assert_int_equal(too_large(scene), -1);
    assert_int_equal(scene->kept.bytes, 290 + 3 + 100);
    assert_int_equal(too_many(scene), -1); /* it counts as one still */
}

static void who_has_most_answers_loses_the_last(void **state) {
    struct scene *scene = *state;
    add(scene, 0, "large", 500);
    for (size_t i = 1; i < 1 + 4; i++) add(scene, i, "many", 1);
    add(scene, 5, "other", 1);
    assert_int_equal(too_many(scene), -1);
    add(scene, 6, "large", 1);
    assert_int_equal(too_many(scene), 4);
}

static void the_newcomer_loses_where_nobody_has_more(void **state) {
    struct scene *scene = *state;
    static const char *const names[] = {"a", "b", "c", "d", "e", "f", "g"};
    for (size_t i = 0; i < COUNT_MAX; i++) add(scene, i, names[i], BYTES_MAX / COUNT_MAX);
    assert_int_equal(too_large(scene), -1);
    add(scene, COUNT_MAX, names[COUNT_MAX], BYTES_MAX / COUNT_MAX);
    assert_int_equal(too_large(scene), COUNT_MAX);
    assert_int_equal(too_many(scene), COUNT_MAX);
}

/* Of the one that has most the last goes that has bytes still. */
static void those_without_bytes_are_not_asked_again(void **state) {
    struct scene *scene = *state;
    add(scene, 0, "greedy", 300);
    add(scene, 1, "greedy", 200);
    add(scene, 2, "greedy", 200);
    assert_int_equal(too_large(scene), 2);
    kept_shrink(&scene->kept, &scene->answers[2]);
    add(scene, 3, "other", 250);
    assert_int_equal(too_large(scene), 1);
    kept_shrink(&scene->kept, &scene->answers[1]);
    assert_int_equal(too_large(scene), -1);
    add(scene, 4, "third", 299);
    assert_int_equal(too_large(scene), 0);
    kept_shrink(&scene->kept, &scene->answers[0]); /* the greedy one has no bytes any more */
    add(scene, 5, "other", 100);
    assert_int_equal(too_large(scene), 5);
}

static void whose_newcomer_has_gone_is_not_asked(void **state) {
    struct scene *scene = *state;
    add(scene, 0, "a", 400);
    add(scene, 1, "b", 300);
    add(scene, 2, "c", 1);
    kept_remove(&scene->kept, &scene->answers[2]);
    assert_int_equal(too_large(scene), 0);
}

static void the_first_that_was_kept_stands_first(void **state) {
    struct scene *scene = *state;
    add(scene, 2, "a", 1);
    add(scene, 0, "b", 1);
    add(scene, 1, "a", 1);
    kept_shrink(&scene->kept, &scene->answers[1]);
    const struct list *node = scene->kept.answers.next;
    static const size_t order[] = {2, 0, 1};
    for (size_t i = 0; i < 3; i++, node = node->next) assert_ptr_equal(node, &scene->answers[order[i]].node);
    assert_ptr_equal(node, &scene->kept.answers);
}

static void a_connection_id_that_is_too_long_is_nobodys(void **state) {
    struct scene *scene = *state;
    char id[200];
    memset(id, 'x', sizeof(id));
    assert_false(kept_add(&scene->kept, &scene->answers[0], view_of(id, sizeof(id)), 1));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(who_is_alone_has_it_all),
        TEST(who_has_most_bytes_loses_the_last),
        TEST(who_has_most_answers_loses_the_last),
        TEST(the_newcomer_loses_where_nobody_has_more),
        TEST(those_without_bytes_are_not_asked_again),
        TEST(whose_newcomer_has_gone_is_not_asked),
        TEST(the_first_that_was_kept_stands_first),
        TEST(a_connection_id_that_is_too_long_is_nobodys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
