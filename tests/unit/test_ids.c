/* Identifiers: their alphabets and shapes, that none repeats, and that no character is preferred. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/ids.h"

enum { ROUNDS = 20000 };

static int compare(const void *a, const void *b) {
    return memcmp(a, b, TUNNEL_ID_LEN);
}

static void test_tunnel_ids_are_uniform_and_distinct(void **state) {
    (void)state;
    static char ids[ROUNDS][TUNNEL_ID_LEN + 1];
    size_t counts[128] = {0};
    for (size_t i = 0; i < ROUNDS; i++) {
        ids_tunnel(ids[i]);
        assert_int_equal(strlen(ids[i]), TUNNEL_ID_LEN);
        assert_int_equal(strspn(ids[i], "abcdefghijklmnopqrstuvwxyz0123456789"), TUNNEL_ID_LEN);
        for (size_t j = 0; j < TUNNEL_ID_LEN; j++) counts[(unsigned char)ids[i][j]]++;
    }
    /* 6667 expected, standard deviation 81: eight of them; a modulo bias would be 1/7 too many for four
     * characters. */
    for (const char *c = "abcdefghijklmnopqrstuvwxyz0123456789"; *c; c++) {
        size_t count = counts[(unsigned char)*c];
        assert_in_range(count, 6667 - 650, 6667 + 650);
    }
    qsort(ids, ROUNDS, sizeof(ids[0]), compare);
    for (size_t i = 1; i < ROUNDS; i++) assert_int_not_equal(compare(ids[i - 1], ids[i]), 0);
}

static void test_uuid4(void **state) {
    (void)state;
    size_t variants[128] = {0};
    char before[UUID_LEN + 1] = "";
    for (size_t i = 0; i < 4000; i++) {
        char id[UUID_LEN + 1];
        ids_uuid4(id);
        assert_int_equal(strlen(id), UUID_LEN);
        for (size_t j = 0; j < UUID_LEN; j++) {
            if (j == 8 || j == 13 || j == 18 || j == 23)
                assert_int_equal(id[j], '-');
            else
                assert_non_null(strchr("0123456789abcdef", id[j]));
        }
        assert_int_equal(id[14], '4');
        variants[(unsigned char)id[19]]++;
        assert_string_not_equal(id, before);
        memcpy(before, id, sizeof(id));
    }
    assert_int_equal(variants['8'] + variants['9'] + variants['a'] + variants['b'], 4000);
    assert_in_range(variants['8'], 700, 1300);
}

static void test_random_of_any_length(void **state) {
    (void)state;
    static const size_t lengths[] = {0, 1, 255, 256, 257, 1000};
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        unsigned char *bytes = calloc(1, lengths[i] + 1);
        ids_random(bytes, lengths[i]);
        assert_int_equal(bytes[lengths[i]], 0);
        size_t zeros = 0;
        for (size_t j = lengths[i] > 16 ? lengths[i] - 16 : 0; j < lengths[i]; j++) zeros += bytes[j] == 0;
        if (lengths[i] > 16) assert_true(zeros < 12);
        free(bytes);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tunnel_ids_are_uniform_and_distinct),
        cmocka_unit_test(test_uuid4),
        cmocka_unit_test(test_random_of_any_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
