/* The intrusive list: order, removal of a node that is in none, moving all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/list.h"

struct item {
    int value;
    struct list node;
};

static int pop(struct list *head) {
    struct list *node = list_pop(head);
    return node ? LIST_ENTRY(node, struct item, node)->value : -1;
}

static void test_order_and_removal(void **state) {
    (void)state;
    struct list head;
    struct item items[4];
    list_init(&head);
    assert_null(list_pop(&head));
    for (int i = 0; i < 4; i++) {
        items[i].value = i;
        list_append(&head, &items[i].node);
    }
    list_remove(&items[1].node);
    list_remove(&items[1].node);
    assert_true(list_empty(&items[1].node));
    assert_int_equal(pop(&head), 0);
    assert_int_equal(pop(&head), 2);
    assert_int_equal(pop(&head), 3);
    assert_int_equal(pop(&head), -1);
}

static void test_move_all(void **state) {
    (void)state;
    struct list from, to;
    struct item items[2] = {{.value = 0}, {.value = 1}};
    list_init(&from);
    list_init(&to);
    list_move_all(&to, &from);
    assert_true(list_empty(&to));
    list_append(&from, &items[0].node);
    list_append(&from, &items[1].node);
    list_move_all(&to, &from);
    assert_true(list_empty(&from));
    list_remove(&items[0].node);
    assert_int_equal(pop(&to), 1);
    assert_true(list_empty(&to));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_and_removal),
        cmocka_unit_test(test_move_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
