/* URLs in XML: absolute ones where a text or a value begins with one, paths in elements named href. */
#include "filter_conformance.h"
#include "rewrite/text.h"

static const struct rewrite_site site = {.prefix = {"/abc", 4},
                                         .scheme = {"https", 5},
                                         .host = {"t.example", 9},
                                         .service = {"localhost:3000", 14}};

static struct filter *make(const struct filter_maker *maker, filter_out_fn out, void *out_ctx) {
    (void)maker;
    return text_filter_new(TEXT_XML, &site, out, out_ctx);
}

static const struct filter_maker xml = {make, NULL};

static void check(const char *input, const char *expected) {
    filter_conforms(&xml, view_from_cstr(input), view_from_cstr(expected));
}

static void same(const char *input) {
    check(input, input);
}

static void addresses_of_webdav(void **state) {
    (void)state;
    check("<?xml version=\"1.0\"?>\n<D:multistatus xmlns:D=\"DAV:\"><D:response><D:href>/d/a%20b</D:href>"
          "<D:propstat><D:displayname>/d</D:displayname></D:propstat></D:response></D:multistatus>",
          "<?xml version=\"1.0\"?>\n<D:multistatus xmlns:D=\"DAV:\"><D:response><D:href>/abc/d/a%20b</D:href>"
          "<D:propstat><D:displayname>/d</D:displayname></D:propstat></D:response></D:multistatus>");
    check("<href>/</href><d:HREF a='/x'>\n /y </d:HREF>",
          "<href>/abc/</href><d:HREF a='/x'>\n /abc/y </d:HREF>");
    check("<D:href>http://localhost:3000/d</D:href>", "<D:href>https://t.example/abc/d</D:href>");
    same("<D:href>d/x</D:href><D:href>//other/x</D:href><D:href>/abc/x</D:href><D:href/>/x<hrefs>/x</hrefs>");
    same("<D:href>a<b/>/x</D:href></D:href>/x");
}

static void our_own_origin_is_found_everywhere(void **state) {
    (void)state;
    check("<link href=\"https://t.example/x\" rel='http://t.example'/>https://t.example/y",
          "<link href=\"https://t.example/abc/x\" rel='http://t.example/abc/'/>https://t.example/abc/y");
    check("<loc>https://t.example/a&amp;b</loc>", "<loc>https://t.example/abc/a&amp;b</loc>");
    same("<a b=\"https://other.example/\" c='/x' d='see https://t.example/x'>see https://t.example/</a>");
    same("<a b=\">'<\" c='https'>h</a>");
}

static void what_is_no_element_passes(void **state) {
    (void)state;
    same(
        "<!-- <href>/x</href> ---><!--><href>/x</href>--><?a <href>/x</href> ?><![CDATA[<href>/x</href>]]]>");
    check("<!DOCTYPE a><href>/x</href>", "<!DOCTYPE a><href>/abc/x</href>");
    check("<?a ?\?><!--a--><href>/x", "<?a ?\?><!--a--><href>/abc/x");
    same("<");
    same("<href");
    same("<href a=\"https://t.exam");
}

static void long_text_is_not_held(void **state) {
    (void)state;
    enum { LENGTH = 50000 };
    char *input = malloc(LENGTH + 32), *expected = malloc(LENGTH + 32);
    memset(input, 'x', LENGTH + 32);
    memset(expected, 'x', LENGTH + 32);
    memcpy(input, "<href>/", 7);
    memcpy(expected, "<href>/abc/", 11);
    filter_run_same(&xml, view_of(input, LENGTH), 0, 100, view_of(expected, LENGTH + 4));
    free(input);
    free(expected);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_of_webdav),
        cmocka_unit_test(our_own_origin_is_found_everywhere),
        cmocka_unit_test(what_is_no_element_passes),
        cmocka_unit_test(long_text_is_not_held),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
