/* The HTML filter: what is rewritten, what is not, and that how the page is cut changes nothing. */
#include <stdio.h>
#include <time.h>

#include "filter_conformance.h"
#include "rewrite/html.h"
#include "rewrite/html_tokens.h"
#include "rewrite/page_script.h"

static const struct rewrite_site site = {
    .tunnel_id = {"abc", 3},
    .prefix = {"/abc", 4},
    .scheme = {"https", 5},
    .host = {"tunnel.example", 14},
    .service = {"localhost:3000", 14},
};

struct what {
    const struct rewrite_site *site;
    bool with_script;
};

static struct filter *make(const struct filter_maker *maker, filter_out_fn out, void *out_ctx) {
    const struct what *what = maker->what;
    return html_filter_new(what->site, what->with_script, out, out_ctx);
}

static const struct what plain = {&site, false}, paged = {&site, true};
static const struct filter_maker html = {make, &plain}, page = {make, &paged};

static void check(const char *input, const char *expected) {
    filter_conforms(&html, view_from_cstr(input), view_from_cstr(expected));
}

static void same(const char *input) {
    check(input, input);
}

static void urls_in_attributes_get_the_prefix_once(void **state) {
    (void)state;
    check("<a href=/x>", "<a href=/abc/x>");
    check("<A HREF='/'>", "<A HREF='/abc/'>");
    check("<img src = \"/x.png\" alt=\"/x\">", "<img src = \"/abc/x.png\" alt=\"/x\">");
    check("<form action=/a><button formaction=\"/b\">", "<form action=/abc/a><button formaction=\"/abc/b\">");
    check("<video poster=/p src=/v data-src=/d data-href=/e>",
          "<video poster=/abc/p src=/abc/v data-src=/abc/d data-href=/abc/e>");
    check("<object data=/o><p data=/o><html manifest=/m><body background=/b>",
          "<object data=/abc/o><p data=/o><html manifest=/abc/m><body background=/abc/b>");
    check("<svg><use xlink:href='/s#i'/><image href='/j'/>",
          "<svg><use xlink:href='/abc/s#i'/><image href='/abc/j'/>");
    check("<a ping='/a /b  c' href=x>", "<a ping='/abc/a /abc/b  c' href=x>");
    check("<a href=' /x\n'>", "<a href=' /abc/x\n'>");
    check("<a href=/a href=/b>", "<a href=/abc/a href=/abc/b>");
    same("<a href=/abc><a href=/abc/x><a href='/abc?x'><a href='/abc#x'>");
    check("<a href=/abcd>", "<a href=/abc/abcd>");
}

static void absolute_urls_of_ours_follow(void **state) {
    (void)state;
    check("<a href=https://tunnel.example/x>", "<a href=https://tunnel.example/abc/x>");
    check("<a href='//Tunnel.Example?x'>", "<a href='//Tunnel.Example/abc/?x'>");
    check("<a href='https://tunnel.example:443/x'>", "<a href='https://tunnel.example:443/abc/x'>");
    check("<a href='https://tunnel.example'>", "<a href='https://tunnel.example/abc/'>");
    check("<a href='http://localhost:3000/x'>", "<a href='https://tunnel.example/abc/x'>");
    check("<a href='http://127.0.0.1:3000/abc/x'>", "<a href='https://tunnel.example/abc/x'>");
    check("<a href='//localhost:3000'>", "<a href='//tunnel.example/abc/'>");
    same("<a href='https://tunnel.example/abc/x'>");
    same("<a href='https://other.example/x'><a href='//other.example/x'><a href='http://localhost:3001/x'>");
    same("<a href=x><a href=./x><a href=../x><a href='#x'><a href='?x'><a href=''><a href><a "
         "href=mailto:a@b.c>");
    same("<a href='javascript:location=\"/x\"'><img src='data:image/svg+xml,<a href=/x>'>");
    same("<a href='https://tunnel.example.evil/x'><a href='https://user@tunnel.example/x'>");
    check("<a href='/../x'><a href='/./..'>", "<a href='/abc/x'><a href='/abc/'>");
}

static void references_are_read_and_stay(void **state) {
    (void)state;
    check("<a href='&#47;x?a=1&amp;b=2&copy;'>", "<a href='/abc&#47;x?a=1&amp;b=2&copy;'>");
    check("<a href='&sol;x'><a href=&#x2F;x>", "<a href='/abc&sol;x'><a href=/abc&#x2F;x>");
    check("<a href='https&colon;//tunnel.example&#000047;x'>",
          "<a href='https&colon;//tunnel.example/abc&#000047;x'>");
    same("<a href='&#x2F;&#x2F;other/x'><a href='&solx;'><a href='&sol'><a href='&#0;/x'><a href='&'><a "
         "href='&#'>");
    check("<img srcset='/a&#32;1x,&Tab;/b'>", "<img srcset='/abc/a&#32;1x,&Tab;/abc/b'>");
}

static void lists_of_candidates(void **state) {
    (void)state;
    check("<img srcset='/a 1x, /b 2x'>", "<img srcset='/abc/a 1x, /abc/b 2x'>");
    check("<img srcset='/a, b,/c 100w'>", "<img srcset='/abc/a, b,/c 100w'>");
    check("<link imagesrcset='  , /a(1,2) x(1,/2) , /b  '>",
          "<link imagesrcset='  , /abc/a(1,2) x(1,/2) , /abc/b  '>");
    check("<img srcset='data:,x 1x, /b,'>", "<img srcset='data:,x 1x, /abc/b,'>");
}

static void a_meta_says_what_its_content_is(void **state) {
    (void)state;
    check("<meta http-equiv=refresh content='0;url=/x'>", "<meta http-equiv=refresh content='0;url=/abc/x'>");
    check("<meta content='1, URL = \"/x\"/y' http-equiv=Refresh>",
          "<meta content='1, URL = \"/abc/x\"/y' http-equiv=Refresh>");
    check("<meta http-equiv=refresh content='0 /x'>", "<meta http-equiv=refresh content='0 /abc/x'>");
    same("<meta http-equiv=refresh content='/x'><meta http-equiv=refresh content=0><meta name=a "
         "content='0;url=/x'>");
    check("<meta http-equiv=content-security-policy content=\"img-src http://localhost:3000/i/\">",
          "<meta http-equiv=content-security-policy content=\"img-src https://tunnel.example/abc/i/\">");
}

static void a_policy_of_the_page_allows_its_script(void **state) {
    (void)state;
    char source[PAGE_SCRIPT_SOURCE_SIZE], expected[300];
    page_script_source(source);
    snprintf(expected, sizeof(expected),
             "<meta http-equiv=content-security-policy content=\"script-src 'self' %s\">", source);
    check("<meta http-equiv=content-security-policy content=\"script-src 'self'\">", expected);
    int inner = PAGE_SCRIPT_SOURCE_SIZE - 3;
    snprintf(expected, sizeof(expected),
             "<meta content='script-src &#39;%.*s&#39;' http-equiv=content-security-policy>", inner,
             source + 1);
    check("<meta content='script-src' http-equiv=content-security-policy>", expected);
}

static void styles_are_css(void **state) {
    (void)state;
    check("<p style='a:url(/x)'><p style=\"b:url('/y')\"><p style=c:url(&#47;z)>",
          "<p style='a:url(/abc/x)'><p style=\"b:url('/abc/y')\"><p style=c:url(/abc&#47;z)>");
    check("<p style='a:url(&quot;/x&quot;) url(&#39;/y&#39;'>",
          "<p style='a:url(&quot;/abc/x&quot;) url(&#39;/abc/y&#39;'>");
    check("<style>a{b:url(/x)}</styles></style>url(/x)", "<style>a{b:url(/abc/x)}</styles></style>url(/x)");
    check("<svg><style>a{b:url(/x)}</style>url(/x)</svg>",
          "<svg><style>a{b:url(/abc/x)}</style>url(/x)</svg>");
    check("<style>url(/x", "<style>url(/abc/x");
    same("<title>url(/x)</title><svg><style/>url(/x)");
}

static void scripts_keep_all_but_specifiers(void **state) {
    (void)state;
    check("<script type=module>import '/x';a('</b>/y')</script>",
          "<script type=module>import '/abc/x';a('</b>/y')</script>");
    check("<script>import('/x')</script>", "<script>import('/abc/x')</script>");
    check("<script type=''>a={\"b\":\"\\/c\"}</script>", "<script type=''>a={\"b\":\"/abc\\/c\"}</script>");
    same("<script type=text/template>import '/x'</script>import '/y'");
}

static void maps_and_rules_are_json(void **state) {
    (void)state;
    check("<script "
          "type=importmap>{\"imports\":{\"a\":\"/a.js\",\"/b/\":\"./b\"},\"scopes\":{\"/c/\":{}}}</script>",
          "<script "
          "type=importmap>{\"imports\":{\"a\":\"/abc/a.js\",\"/abc/b/\":\"./b\"},\"scopes\":{\"/abc/c/"
          "\":{}}}</script>");
    check("<script "
          "type=speculationrules>{\"prefetch\":[{\"urls\":[\"/x\"],\"where\":{\"href_matches\":\"/*\"}}]}</"
          "script>",
          "<script "
          "type=speculationrules>{\"prefetch\":[{\"urls\":[\"/abc/x\"],\"where\":{\"href_matches\":\"/abc/"
          "*\"}}]}</script>");
    check("<script type=application/json>[\"/x\",\"\\/y\",\"https://tunnel.example/z\"]</script>",
          "<script type=application/json>[\"/x\",\"/abc\\/y\",\"https://tunnel.example/abc/z\"]</script>");
}

static void documents_in_attributes(void **state) {
    (void)state;
    check("<iframe srcdoc=\"<a href='/x'>&lt;b src=/y&gt;<script src='/z' integrity=a></script>\">",
          "<iframe srcdoc=\"<a href='/abc/x'>&lt;b src=/abc/y&gt;<script src='/abc/z'></script>\">");
    check("<iframe srcdoc='<style>a{b:url(/x)}</style>&quot;<p style=&#39;c:url(/y)&#39;>'>",
          "<iframe srcdoc='<style>a{b:url(/abc/x)}</style>&quot;<p style=&#39;c:url(/abc/y)&#39;>'>");
    check(
        "<iframe srcdoc='<iframe srcdoc=&#39;<a href=/y><iframe srcdoc=&quot;<a href=/x>&quot;>&#39;>'>",
        "<iframe srcdoc='<iframe srcdoc=&#39;<a href=/abc/y><iframe srcdoc=&quot;<a href=/x>&quot;>&#39;>'>");
    same("<p srcdoc='<a href=/x>'><iframe srcdoc=''><iframe srcdoc><iframe srcdoc='<a href=\"/x'>");
}

static void integrity_goes_from_what_is_ours(void **state) {
    (void)state;
    check("<script src=/x integrity='sha256-x' async>", "<script src=/abc/x async>");
    check("<link integrity=x href='a.css'>", "<link href='a.css'>");
    check("<script src='/x'integrity='y'async>", "<script src='/abc/x'async>");
    check("<script src=/x integrity>", "<script src=/abc/x>");
    same("<script src=https://cdn.example/x integrity=sha256-x></script><script integrity=x></script>");
}

static void a_foreign_base_takes_paths_away(void **state) {
    (void)state;
    check("<base href=/app/><a href=/x>", "<base href=/abc/app/><a href=/abc/x>");
    check("<base target=_top><base href='//cdn.example/'><a href=/x><base href=/><a "
          "href=https://tunnel.example/y>",
          "<base target=_top><base href='//cdn.example/'><a href=/x><base href=/><a "
          "href=https://tunnel.example/abc/y>");
}

static void all_else_passes(void **state) {
    (void)state;
    same("<!doctype html><!-- <a href=/x> --><title><a href=/x></title><textarea><a href=/x></textarea>");
    same("text < href=/x <3 </ a href=/x> <?a href=/x?> <!a href=/x> & \0");
    same("<a href=/x");
    same("<a href='/x>");
    same("<a =/x><a / href><p title='<a href=/x>'>");
    same("<script>var a = '<a href=/x>';<!--<script></script></script>");
    check("\xff\xfe<a href=/\xff>", "\xff\xfe<a href=/abc/\xff>");
    struct view nul = VIEW("\0<a\0 href=/\0>\0<b href\0=/x>");
    filter_conforms(&html, nul, VIEW("\0<a\0 href=/abc/\0>\0<b href\0=/x>"));
}

static void off_changes_nothing(void **state) {
    (void)state;
    static const struct rewrite_site off = {.host = {"tunnel.example", 14}, .scheme = {"https", 5}};
    static const struct what what = {&off, true};
    static const struct filter_maker maker = {make, &what};
    struct view text =
        VIEW("<head><base href=/><a href=/x style='url(/x)' integrity=y><style>a{b:url(/x)}</style>");
    filter_conforms(&maker, text, text);
}

/* The page with the script where '@' stands. */
static void check_page(const char *input, const char *expected) {
    struct buf wanted;
    buf_init(&wanted, 1 << 20);
    const char *at = strchr(expected, '@');
    assert_non_null(at);
    buf_append(&wanted, expected, (size_t)(at - expected));
    buf_append_view(
        &wanted,
        VIEW("<script data-tunnel-id=\"abc\" data-base-path=\"/abc\" data-service=\"localhost:3000\">"));
    buf_append(&wanted, page_script_text, page_script_text_len);
    buf_append_view(&wanted, VIEW("</script>"));
    buf_append(&wanted, at + 1, strlen(at + 1));
    filter_conforms(&page, view_from_cstr(input), buf_view(&wanted));
    buf_done(&wanted);
}

static void the_script_stands_first(void **state) {
    (void)state;
    check_page("<!doctype html><!-- --><html><head><title>", "<!doctype html><!-- --><html><head>@<title>");
    check_page("<html> <head lang=x> <base href=/>", "<html> <head lang=x>@ <base href=/abc/>");
    check_page("<html><body>", "<html>@<body>");
    check_page("<p><head>", "@<p><head>");
    check_page("</head><script src=/x></script>", "</head>@<script src=/abc/x></script>");
    check_page("a<b>", "a@<b>");
    filter_conforms(&page, VIEW("no element"), VIEW("no element"));
    struct view script = view_of(page_script_text, page_script_text_len);
    for (size_t i = 0; i + 1 < script.len; i++)
        assert_false(script.ptr[i] == '<' && (script.ptr[i + 1] == '/' || script.ptr[i + 1] == '!'));
}

/* However the input is cut. */
static void check_long(const char *before, const char *repeated, size_t length, const char *behind,
                       const char *new_before, const char *new_behind) {
    struct buf input, expected;
    buf_init(&input, 1 << 20);
    buf_init(&expected, 1 << 20);
    buf_printf(&input, "%s", before);
    buf_printf(&expected, "%s", new_before);
    for (size_t i = 0; i < length; i += strlen(repeated)) {
        buf_printf(&input, "%s", repeated);
        buf_printf(&expected, "%s", repeated);
    }
    buf_printf(&input, "%s", behind);
    buf_printf(&expected, "%s", new_behind);
    for (size_t step = 1; step < 2 * input.len; step = step * 3 + 1)
        filter_run_same(&html, buf_view(&input), 0, step, buf_view(&expected));
    buf_done(&input);
    buf_done(&expected);
}

static void long_tags_are_rewritten_in_parts(void **state) {
    (void)state;
    const size_t length = 3 * HTML_TAG_MAX;
    check_long("<img src=/x alt='", "a", length, "' poster=\"/y\">", "<img src=/abc/x alt='",
               "' poster=\"/abc/y\">");
    check_long("<img src=\"data:image/png;base64,", "A", length, "\" data-src=/y>",
               "<img src=\"data:image/png;base64,", "\" data-src=/abc/y>");
    check_long("<a href=/x?", "q", length, " ping=/y>", "<a href=/abc/x?", " ping=/abc/y>");
    check_long("<a href=\"https://localhost:3000/?", "&amp;q", length, "\">",
               "<a href=\"https://tunnel.example/abc/?", "\">");
    check_long("<a ", "b ", length, "href=/x>", "<a ", "href=/abc/x>");
}

/* A part may end at each byte of an attribute, which is then in the next one. */
static void a_part_ends_wherever_it_is_full(void **state) {
    (void)state;
    static const char attrs[] = " href = \"/x\" src='/y' b poster=/z /",
                      expected[] = " href = \"/abc/x\" src='/abc/y' b poster=/abc/z />";
    for (size_t at = 0; at <= sizeof(attrs); at++) {
        struct buf before, after;
        buf_init(&before, 1 << 20);
        buf_init(&after, 1 << 20);
        buf_printf(&before, "<img ");
        while (before.len + 1000 < HTML_TAG_MAX - at) buf_printf(&before, "a%zu=%0500d ", before.len, 0);
        while (before.len < HTML_TAG_MAX - at) buf_append_byte(&before, ' ');
        buf_append_view(&after, buf_view(&before));
        buf_append_view(&before, view_from_cstr(attrs));
        buf_append_byte(&before, '>');
        buf_append_view(&after, view_from_cstr(expected));
        filter_run_same(&html, buf_view(&before), before.len, 1, buf_view(&after));
        filter_run_same(&html, buf_view(&before), HTML_TAG_MAX - at, 1, buf_view(&after));
        filter_run_same(&html, buf_view(&before), 0, 1000, buf_view(&after));
        buf_done(&before);
        buf_done(&after);
    }
}

static void append_many(struct buf *out, char byte, size_t count) {
    while (count-- > 0) buf_append_byte(out, byte);
}

/* A name that takes most of a part, and an attribute that takes the rest of it: each part must be a step. */
static void a_long_name_leaves_room_for_an_attribute(void **state) {
    (void)state;
    struct buf input, expected;
    buf_init(&input, 1 << 20);
    buf_init(&expected, 1 << 20);
    buf_printf(&input, "<n");
    append_many(&input, 'n', HTML_TAG_MAX * 3 / 4);
    buf_printf(&input, " alt='");
    append_many(&input, 'a', HTML_TAG_MAX / 2 - 100);
    buf_printf(&input, "'>");
    buf_append_view(&expected, buf_view(&input));
    buf_printf(&input, "<a href=/x>");
    buf_printf(&expected, "<a href=/abc/x>");
    filter_run_same(&html, buf_view(&input), 0, 1000, buf_view(&expected));
    filter_run_same(&html, buf_view(&input), input.len, 1, buf_view(&expected));
    buf_done(&input);
    buf_done(&expected);
}

/* What decides of an attribute may be in an earlier part. */
static void parts_remember_what_decides(void **state) {
    (void)state;
    check_long("<meta http-equiv=refresh alt='", "a", HTML_TAG_MAX, "' content='0;url=/x'>",
               "<meta http-equiv=refresh alt='", "' content='0;url=/abc/x'>");
    check_long("<script src=/x alt='", "a", HTML_TAG_MAX, "' integrity=sha256-a></script>",
               "<script src=/abc/x alt='", "'></script>");
    check_long("<script type=importmap alt='", "a", HTML_TAG_MAX, "'>{\"imports\":{\"a\":\"/x\"}}</script>",
               "<script type=importmap alt='", "'>{\"imports\":{\"a\":\"/abc/x\"}}</script>");
    check_long("<script type=module alt='", "a", HTML_TAG_MAX, "'>import '/x'</script>",
               "<script type=module alt='", "'>import '/abc/x'</script>");
}

/* A part that ends right behind an attribute that goes: what follows is not known there, and what came to
 * stand behind the part's bytes by an earlier tag is not it. */
static void a_part_may_end_behind_what_goes(void **state) {
    (void)state;
    struct buf input, expected;
    buf_init(&input, 1 << 20);
    buf_init(&expected, 1 << 20);
    buf_printf(&input, "<p");
    append_many(&input, ' ', HTML_TAG_MAX / 2);
    buf_printf(&input, "x><script src=");
    buf_append_view(&expected, buf_view(&input));
    buf_printf(&input, "/x");
    buf_printf(&expected, "/abc/x");
    for (size_t i = 0; i < HTML_ATTRS_MAX - 2; i++) {
        buf_printf(&input, " a");
        buf_printf(&expected, " a");
    }
    buf_printf(&input, " integrity='y'b></script>");
    buf_printf(&expected, " b></script>");
    filter_run_same(&html, buf_view(&input), 0, 1000, buf_view(&expected));
    filter_run_same(&html, buf_view(&input), 0, 1, buf_view(&expected));
    buf_done(&input);
    buf_done(&expected);
}

/* A list, a style sheet or a document that is too long for an attribute; what follows is seen. */
static void what_is_too_long_passes(void **state) {
    (void)state;
    check_long("<img srcset='/x 1x,", "/y 2x,", HTML_TAG_MAX, "' src=/x>", "<img srcset='/x 1x,",
               "' src=/abc/x>");
    check_long("<p style='background:url(/x);", "a:b;", HTML_TAG_MAX, "'><a href=/x>",
               "<p style='background:url(/x);", "'><a href=/abc/x>");
    check_long("<link href=/x integrity='", "a", HTML_TAG_MAX, "'>", "<link href=/abc/x integrity='", "'>");
}

/* Processor time of a page of `size` bytes that repeats a pattern. */
static double cost(struct view pattern, size_t size) {
    struct buf input, output;
    buf_init(&input, FILTER_OUTPUT_MAX);
    while (input.len < size) buf_append_view(&input, pattern);
    double best = 1e9;
    for (int i = 0; i < 3; i++) {
        struct timespec from, to;
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
        filter_run(&page, buf_view(&input), 0, 4096, &output);
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
        double took = (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9;
        if (took < best) best = took;
        buf_done(&output);
    }
    buf_done(&input);
    return best;
}

static void twice_the_input_takes_twice_the_time(void **state) {
    (void)state;
    static const char *const patterns[] = {
        "<",
        "<a",
        "<a href=/x>",
        "<a href=/x ",
        "<a b='",
        "<a b",
        "<a\n",
        "<link integrity=a ",
        "<meta content=/a ",
        "<!--",
        "<!-- -",
        "--!",
        "&#47;",
        "<![CDATA[",
        "</",
        "]]",
        "<svg>",
        "<title>",
        "<script><!--",
        "<a href='&",
        "<base href=/>",
        "<meta content='0;url=/",
        "style='url(/x) ",
        "<style>url(",
        "<style>/*",
        "<script type=module>import '/x';(",
        "<img srcset='/a,",
        "\"'",
    };
    for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++) {
        double one = cost(view_from_cstr(patterns[i]), 64 * 1024),
               eight = cost(view_from_cstr(patterns[i]), 512 * 1024);
        if (eight > 24 * one + 0.05) fail_msg("%s: %f s, eight times as much %f s", patterns[i], one, eight);
    }
}

/* Attributes that ask what others say cost no more where there are many of them. */
static void many_attributes_ask_others_once(void **state) {
    (void)state;
    static const char *const tags[][3] = {{"<link src='", " integrity", " integritx"},
                                          {"<meta http-equiv='", " content=a", " contenx=a"}};
    for (size_t i = 0; i < 2; i++) {
        double costs[2];
        for (int odd = 0; odd < 2; odd++) {
            struct buf tag;
            buf_init(&tag, HTML_TAG_MAX);
            buf_printf(&tag, "%s", tags[i][0]);
            append_many(&tag, '&', i ? 60 : URL_HEAD_MAX - 1);
            buf_append_byte(&tag, '\'');
            for (size_t n = 0; n < HTML_ATTRS_MAX - 2; n++) buf_printf(&tag, "%s", tags[i][1 + odd]);
            buf_append_byte(&tag, '>');
            costs[odd] = cost(buf_view(&tag), 256 * 1024);
            buf_done(&tag);
        }
        if (costs[0] > 10 * costs[1] + 0.03) fail_msg("%s: %f s, not %f s", tags[i][0], costs[0], costs[1]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(urls_in_attributes_get_the_prefix_once),
        cmocka_unit_test(absolute_urls_of_ours_follow),
        cmocka_unit_test(references_are_read_and_stay),
        cmocka_unit_test(lists_of_candidates),
        cmocka_unit_test(a_meta_says_what_its_content_is),
        cmocka_unit_test(a_policy_of_the_page_allows_its_script),
        cmocka_unit_test(styles_are_css),
        cmocka_unit_test(scripts_keep_all_but_specifiers),
        cmocka_unit_test(maps_and_rules_are_json),
        cmocka_unit_test(documents_in_attributes),
        cmocka_unit_test(integrity_goes_from_what_is_ours),
        cmocka_unit_test(a_foreign_base_takes_paths_away),
        cmocka_unit_test(all_else_passes),
        cmocka_unit_test(off_changes_nothing),
        cmocka_unit_test(the_script_stands_first),
        cmocka_unit_test(long_tags_are_rewritten_in_parts),
        cmocka_unit_test(a_part_ends_wherever_it_is_full),
        cmocka_unit_test(a_long_name_leaves_room_for_an_attribute),
        cmocka_unit_test(parts_remember_what_decides),
        cmocka_unit_test(a_part_may_end_behind_what_goes),
        cmocka_unit_test(what_is_too_long_passes),
        cmocka_unit_test(twice_the_input_takes_twice_the_time),
        cmocka_unit_test(many_attributes_ask_others_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
