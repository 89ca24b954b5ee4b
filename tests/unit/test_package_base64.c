/* What the packaged libjwt has for base64 (aws-adapter/package/libjwt). */
#include "../../aws-adapter/package/libjwt/base64.h"
#include "cmocka_setup.h"

static const struct {
    const char *plain, *coded;
} PAIRS[] = {{"f", "Zg=="},        {"fo", "Zm8="},           {"foo", "Zm9v"},
             {"foob", "Zm9vYg=="}, {"\xff\xfe\xfd", "//79"}, {"{\"alg\":\"HS256\"}", "eyJhbGciOiJIUzI1NiJ9"}};

static void goes_both_ways(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof(PAIRS) / sizeof(PAIRS[0]); i++) {
        char coded[64], plain[64];
        int len = (int)strlen(PAIRS[i].plain);
        assert_int_equal(jwt_Base64encode(coded, PAIRS[i].plain, len), strlen(PAIRS[i].coded) + 1);
        assert_string_equal(coded, PAIRS[i].coded);
        assert_int_equal(jwt_Base64decode(plain, PAIRS[i].coded), len);
        assert_memory_equal(plain, PAIRS[i].plain, (size_t)len);
    }
}

/* libjwt writes a NUL behind what was decoded, into a buffer as long as the text. */
static void refuses_what_is_none(void **state) {
    (void)state;
    static const char *const texts[] = {"",  "Z",       "Zg=", "====", "Z!==", "Zm9v\x80\x80\x80\x80",
                                        " ", "\n\n\n\n"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        char plain[16];
        int len = jwt_Base64decode(plain, texts[i]);
        assert_true(len >= 0 && (len == 0 || (size_t)len < strlen(texts[i])));
    }
    char plain[16];
    assert_int_equal(jwt_Base64decode(plain, "Z!=="), 0);
    assert_int_equal(jwt_Base64decode(plain, "Zg="), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(goes_both_ways),
                                       cmocka_unit_test(refuses_what_is_none)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
