/* Which file a URL's path means, and what means none. */
#include "cmocka_setup.h"
#include "folder/file_path.h"

static void test_paths(void **state) {
    (void)state;
    static const struct {
        const char *url, *path; /* NULL: it means no file */
        bool wants_folder;
    } rows[] = {
        {"/", ".", true},
        {"/a", "a", false},
        {"/a/", "a", true},
        {"/a/b.html", "a/b.html", false},
        {"/a%20b", "a b", false},
        {"/%61", "a", false},
        {"/a%2Bb+c", "a+b+c", false},
        {"/%C3%A4", "\xc3\xa4", false},
        {"/\xff%fe", "\xff\xfe", false},
        {"/a%0ab", "a\nb", false},
        {"/a\\b", "a\\b", false},
        {"/a..b", "a..b", false},
        {"/a./b", "a./b", false},
        {"/%252e%252e/x", "%2e%2e/x", false}, /* decoded once */
        {"/.well-known", ".well-known", false},
        {"/.well-known/security.txt", ".well-known/security.txt", false},
        {"/%2ewell-known/x", ".well-known/x", false},
        {"", NULL, false},
        {"a", NULL, false},
        {"*", NULL, false},
        {"//", NULL, false},
        {"//a", NULL, false},
        {"/a//", NULL, false},
        {"/a//b", NULL, false},
        {"/.", NULL, false},
        {"/./a", NULL, false},
        {"/a/.", NULL, false},
        {"/..", NULL, false},
        {"/../a", NULL, false},
        {"/a/..", NULL, false},
        {"/a/../../b", NULL, false},
        {"/%2e%2e/a", NULL, false},
        {"/%2E./a", NULL, false},
        {"/..%2fa", NULL, false},
        {"/a%2Fb", NULL, false},
        {"/%2fetc", NULL, false},
        {"/...", NULL, false},
        {"/.git/config", NULL, false},
        {"/a/.env", NULL, false},
        {"/%2egit", NULL, false},
        {"/a/.well-known/x", NULL, false},
        {"/.well-known/.git", NULL, false},
        {"/.well-knownx", NULL, false},
        {"/a%00", NULL, false},
        {"/%00", NULL, false},
        {"/a%", NULL, false},
        {"/a%2", NULL, false},
        {"/a%zz", NULL, false},
        {"/a%u002e", NULL, false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct file_path path;
        bool ok = file_path_parse(view_from_cstr(rows[i].url), &path);
        if (ok != (rows[i].path != NULL)) fail_msg("%s: %d", rows[i].url, ok);
        if (!ok) continue;
        assert_string_equal(path.text, rows[i].path);
        assert_int_equal(path.wants_folder, rows[i].wants_folder);
    }
}

static void test_nul_byte(void **state) {
    (void)state;
    struct file_path path;
    assert_false(file_path_parse(view_of("/a\0b", 4), &path));
}

static void test_length(void **state) {
    (void)state;
    static char url[3 * FILE_PATH_MAX + 8];
    struct file_path path;
    url[0] = '/';
    memset(url + 1, 'a', FILE_PATH_MAX);
    assert_true(file_path_parse(view_of(url, 1 + FILE_PATH_MAX), &path));
    assert_int_equal(strlen(path.text), FILE_PATH_MAX);
    assert_true(file_path_parse(view_of("/b", 2), &path));
    assert_string_equal(path.text, "b");
    url[1 + FILE_PATH_MAX] = 'a';
    assert_false(file_path_parse(view_of(url, 2 + FILE_PATH_MAX), &path));
    url[1 + FILE_PATH_MAX] = '/';
    assert_true(file_path_parse(view_of(url, 2 + FILE_PATH_MAX), &path));
    url[2 + FILE_PATH_MAX] = 'a';
    assert_false(file_path_parse(view_of(url, 3 + FILE_PATH_MAX), &path));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_paths), cmocka_unit_test(test_nul_byte),
                                       cmocka_unit_test(test_length)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
