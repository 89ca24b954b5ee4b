/* The HTML standard's public tokenizer tests, each split at every byte, and what only streaming can get
 * wrong. They are not part of the repository: TTF_TEST_DATA_HTML names their folder, else
 * ../shared/data/html-tokenizer beside the repository is looked at. */
#include <ctype.h>
#include <dirent.h>
#include <jansson.h>
#include <stdio.h>

#include "base/buf.h"
#include "cmocka_setup.h"
#include "rewrite/html_text.h"
#include "rewrite/html_tokens.h"

/* What was found, as one text a token, so that it can be compared with what a test expects. */
struct found {
    struct buf text;
    struct buf comment; /* the one under way */
    struct buf all;     /* every byte said */
    bool names_only;    /* of attributes */
};

static void put_scalar(struct buf *out, struct view v, bool lower) {
    for (size_t i = 0; i < v.len; i++) {
        char byte = v.ptr[i];
        if (byte == '\r') {
            if (i + 1 == v.len || v.ptr[i + 1] != '\n') buf_append_byte(out, '\n');
        } else if (byte == '\0') {
            buf_append_view(out, VIEW("\xef\xbf\xbd"));
        } else {
            buf_append_byte(out, lower && byte >= 'A' && byte <= 'Z' ? (char)(byte | 0x20) : byte);
        }
    }
}

static bool is_repeated(const struct html_tag *tag, size_t index) {
    for (size_t i = 0; i < index; i++)
        if (view_eq_nocase(html_attr_name(tag, &tag->attrs[i]), html_attr_name(tag, &tag->attrs[index])))
            return true;
    return false;
}

static void on_tag(void *ctx, const struct html_tag *tag) {
    struct found *found = ctx;
    char room[HTML_TAG_MAX];
    assert_true(tag->said <= tag->raw.len);
    buf_append_view(&found->all, html_tag_said(tag));
    assert_true(!tag->is_cut || tag->goes_on);
    buf_append_view(&found->text, tag->goes_on ? VIEW("part of ") : VIEW(""));
    buf_append_view(&found->text, tag->is_end ? VIEW("end ") : VIEW("start "));
    put_scalar(&found->text, tag->name, true);
    for (size_t i = 0; !tag->is_end && i < tag->attr_count; i++) {
        if (is_repeated(tag, i)) continue;
        buf_append_byte(&found->text, ' ');
        put_scalar(&found->text, html_attr_name(tag, &tag->attrs[i]), true);
        buf_append_byte(&found->text, '=');
        if (!found->names_only)
            put_scalar(&found->text, html_text_decode(html_attr_value(tag, &tag->attrs[i]), room), false);
    }
    if (!tag->is_end && tag->is_self_closing) buf_append_view(&found->text, VIEW(" /"));
    buf_append_byte(&found->text, '\n');
}

/* A comment's data: without its delimiters, of which the closing ones may be missing. */
static struct view comment_data(struct view raw, bool whole) {
    static const struct view ends[] = {{"--!>", 4}, {"-->", 3}, {"--!", 3}, {"--", 2}, {"-", 1}};
    if (!view_starts_with(raw, VIEW("<!--"))) {
        raw = view_skip(raw, view_starts_with(raw, VIEW("<?")) ? 1 : 2);
        return whole ? view_slice(raw, 0, raw.len - 1) : raw;
    }
    raw = view_skip(raw, 4);
    if (view_eq(raw, VIEW(">")) || view_eq(raw, VIEW("->"))) return VIEW("");
    for (size_t i = whole ? 0 : 2; i < (whole ? 2 : 5); i++)
        if (view_ends_with(raw, ends[i])) return view_slice(raw, 0, raw.len - ends[i].len);
    return raw;
}

static void on_raw(void *ctx, enum html_kind kind, struct view bytes, bool is_last) {
    struct found *found = ctx;
    buf_append_view(&found->all, bytes);
    if (kind != HTML_COMMENT) return;
    buf_append_view(&found->comment, bytes);
    if (!is_last) return;
    struct view raw = buf_view(&found->comment);
    if (!view_eq(raw, VIEW("</>"))) {
        buf_append_view(&found->text, VIEW("comment "));
        put_scalar(&found->text, comment_data(raw, view_ends_with(raw, VIEW(">"))), false);
        buf_append_byte(&found->text, '\n');
    }
    buf_clear(&found->comment);
}

static void found_init(struct found *found) {
    *found = (struct found){0};
    buf_init(&found->text, 1 << 24);
    buf_init(&found->comment, 1 << 24);
    buf_init(&found->all, 1 << 24);
}

static void found_done(struct found *found) {
    buf_done(&found->text);
    buf_done(&found->comment);
    buf_done(&found->all);
}

static void feed(struct html_tokens *tokens, struct view piece) {
    char *copy = malloc(piece.len ? piece.len : 1);
    if (piece.len) memcpy(copy, piece.ptr, piece.len);
    if (piece.len) html_tokens_feed(tokens, view_of(copy, piece.len));
    free(copy);
}

/* How a test begins. */
struct begin {
    enum html_model model;
    struct view element;
    bool names_only;
};

static void tokenize(struct view input, size_t first, size_t step, const struct begin *begin,
                     struct found *found) {
    static struct html_tokens tokens;
    struct html_handler handler = {on_tag, on_raw, found};
    found_init(found);
    found->names_only = begin->names_only;
    html_tokens_init(&tokens, &handler);
    html_tokens_enter(&tokens, begin->model, begin->element);
    feed(&tokens, view_slice(input, 0, first));
    for (size_t at = first; at < input.len; at += step) feed(&tokens, view_slice(input, at, at + step));
    html_tokens_end(&tokens);
    assert_true(view_eq(buf_view(&found->all), input));
}

static void check(const char *name, struct view input, const struct begin *begin, struct view expected) {
    for (size_t at = 0; at <= input.len + 1; at++) {
        struct found found;
        bool bytewise = at == input.len + 1;
        tokenize(input, bytewise ? 0 : at, bytewise ? 1 : input.len, begin, &found);
        if (!view_eq(buf_view(&found.text), expected))
            fail_msg("%s, cut at %zu: \"%.*s\"\ngave\n%.*snot\n%.*s", name, at, VIEW_ARG(input),
                     VIEW_ARG(buf_view(&found.text)), VIEW_ARG(expected));
        found_done(&found);
    }
}

static struct view string_of(const json_t *value) {
    return view_of(json_string_value(value), json_string_length(value));
}

static bool is_ascii(struct view v) {
    for (size_t i = 0; i < v.len; i++)
        if ((unsigned char)v.ptr[i] >= 0x80) return false;
    return true;
}

static void expect(const json_t *output, bool names_only, struct buf *text) {
    size_t index;
    const json_t *token;
    json_array_foreach((json_t *)output, index, token) {
        struct view kind = string_of(json_array_get(token, 0)), what = string_of(json_array_get(token, 1));
        bool start = view_eq(kind, VIEW("StartTag"));
        if (!start && !view_eq(kind, VIEW("EndTag")) && !view_eq(kind, VIEW("Comment"))) continue;
        buf_append_view(text, start ? VIEW("start ") : kind.ptr[0] == 'E' ? VIEW("end ") : VIEW("comment "));
        buf_append_view(text, what);
        const char *name;
        json_t *value;
        if (start) json_object_foreach(json_array_get(token, 2), name, value) {
                buf_printf(text, " %s=", name);
                if (!names_only) buf_append_view(text, string_of(value));
            }
        if (start && json_is_true(json_array_get(token, 3))) buf_append_view(text, VIEW(" /"));
        buf_append_byte(text, '\n');
    }
    assert_false(text->failed);
}

struct initial {
    struct view state;
    enum html_model model;
};

static const struct initial initials[] = {
    {{"Data state", 10}, MODEL_DATA},          {{"PLAINTEXT state", 15}, MODEL_PLAIN},
    {{"RCDATA state", 12}, MODEL_RAW},         {{"RAWTEXT state", 13}, MODEL_RAW},
    {{"Script data state", 17}, MODEL_SCRIPT},
};

/* Values are not compared where the test is of references to characters beyond ASCII: nobody here reads
 * those. */
static void run_in_state(const json_t *test, struct view state, size_t *count) {
    const char *name = json_string_value(json_object_get(test, "description"));
    struct begin begin = {.element = string_of(json_object_get(test, "lastStartTag"))};
    struct buf expected, input;
    bool cdata = view_eq(state, VIEW("CDATA section state"));
    buf_init(&expected, 1 << 20);
    buf_init(&input, 1 << 20);
    if (cdata) buf_append_view(&input, VIEW("<svg><![CDATA["));
    if (cdata) buf_append_view(&expected, VIEW("start svg\n"));
    buf_append_view(&input, string_of(json_object_get(test, "input")));
    expect(json_object_get(test, "output"), false, &expected);
    begin.names_only = view_find(buf_view(&input), '&') < input.len && !is_ascii(buf_view(&expected));
    if (begin.names_only) buf_clear(&expected);
    if (begin.names_only) expect(json_object_get(test, "output"), true, &expected);
    bool known = cdata;
    for (size_t i = 0; i < sizeof(initials) / sizeof(initials[0]); i++) {
        if (!view_eq(initials[i].state, state)) continue;
        begin.model = initials[i].model;
        known = true;
    }
    assert_true(known);
    check(name, buf_view(&input), &begin, buf_view(&expected));
    (*count)++;
    buf_done(&expected);
    buf_done(&input);
}

static void run_case(const json_t *test, size_t *count) {
    const json_t *states = json_object_get(test, "initialStates");
    if (json_is_true(json_object_get(test, "doubleEscaped")))
        return; /* lone surrogates, which are no UTF-8 */
    if (!states) run_in_state(test, VIEW("Data state"), count);
    for (size_t i = 0; states && i < json_array_size(states); i++)
        run_in_state(test, string_of(json_array_get(states, i)), count);
}

static size_t run_file(const char *path) {
    json_error_t error;
    json_t *file = json_load_file(path, JSON_ALLOW_NUL, &error);
    if (!file) fail_msg("%s: %s", path, error.text);
    size_t count = 0, index;
    json_t *test;
    json_array_foreach(json_object_get(file, "tests"), index, test) run_case(test, &count);
    json_decref(file);
    return count;
}

static void the_standards_tests_find_what_they_expect(void **state) {
    (void)state;
    const char *folder = getenv("TTF_TEST_DATA_HTML");
    if (!folder) folder = TEST_DATA "/../../shared/data/html-tokenizer";
    DIR *files = opendir(folder);
    if (!files) {
        print_message("skipped: %s is not there (TTF_TEST_DATA_HTML names it)\n", folder);
        skip();
    }
    size_t count = 0;
    for (const struct dirent *file; (file = readdir(files));) {
        char path[4096];
        if (!view_ends_with(view_from_cstr(file->d_name), VIEW(".test"))) continue;
        snprintf(path, sizeof(path), "%s/%s", folder, file->d_name);
        count += run_file(path);
    }
    closedir(files);
    print_message("%zu of the standard's tests\n", count);
    assert_true(count > 1000);
}

static void check_data(const char *input, const char *expected) {
    struct begin begin = {.model = MODEL_DATA};
    check("", view_from_cstr(input), &begin, view_from_cstr(expected));
}

static void raw_text_follows_its_element(void **state) {
    (void)state;
    check_data("<title><b></title ><b>", "start title\nend title\nstart b\n");
    check_data("<STYLE></styl></STYLE/x><p>", "start style\nend style\nstart p\n");
    check_data("<script><!--<script></script>--></script><p>", "start script\nend script\nstart p\n");
    check_data("<script><!--<script></script><b></script><p>", "start script\nend script\nstart p\n");
    check_data("<script>'<!--' <b></script><p>", "start script\nend script\nstart p\n");
    check_data("<script><!--<script>--></script><p>", "start script\nend script\nstart p\n");
    check_data("<script><!--<script> </script><p>", "start script\n");
    check_data("<plaintext></plaintext><p>", "start plaintext\n");
    check_data("<textarea></textareas></textarea\n>", "start textarea\nend textarea\n");
    check_data("<noscript><img src=x></noscript>", "start noscript\nstart img src=x\nend noscript\n");
}

static void foreign_elements_have_no_raw_text(void **state) {
    (void)state;
    check_data("<svg><style><a></style></svg><style><a></style>",
               "start svg\nstart style\nstart a\nend style\nend svg\nstart style\nend style\n");
    check_data("<svg><![CDATA[<a>]]]><b></svg><![CDATA[<a>",
               "start svg\nstart b\nend svg\ncomment [CDATA[<a\n");
    check_data("<svg><foreignObject><style><a></style><![CDATA[x]]>",
               "start svg\nstart foreignobject\nstart style\nend style\ncomment [CDATA[x]]\n");
    check_data("<svg/><title><a></title>", "start svg /\nstart title\nend title\n");
    check_data("<svg><p><title><a></title>", "start svg\nstart p\nstart title\nend title\n");
    check_data("<math><mi><title><a></title></mi><![CDATA[<a>]]></math>",
               "start math\nstart mi\nstart title\nend title\nend mi\nend math\n");
}

static void repeat(struct buf *buf, const char *text, size_t times) {
    for (size_t i = 0; i < times; i++) buf_append_view(buf, view_from_cstr(text));
}

/* However it is cut, parts end at the same bytes. */
static void check_long(const struct buf *input, struct view expected) {
    struct begin begin = {.model = MODEL_DATA};
    for (size_t step = 1; step < input->len * 2; step = step * 3 + 1) {
        struct found found;
        tokenize(buf_view(input), 0, step, &begin, &found);
        if (!view_eq(buf_view(&found.text), expected))
            fail_msg("in pieces of %zu: %.*s", step, VIEW_ARG(buf_view(&found.text)));
        found_done(&found);
    }
}

static void a_long_value_is_said_by_its_head(void **state) {
    (void)state;
    struct buf input, expected;
    buf_init(&input, 1 << 20);
    buf_init(&expected, 1 << 20);
    buf_append_view(&input, VIEW("<script type=module a='"));
    repeat(&input, "b", 3 * HTML_TAG_MAX);
    buf_append_view(&input, VIEW("' c=\"d\" e><b></script><i x=y>"));
    buf_append_view(&expected, VIEW("part of start script type=module a="));
    repeat(&expected, "b", HTML_TAG_MAX - 23);
    buf_append_view(&expected, VIEW("\nstart script type=module c=d e=\nend script\nstart i x=y\n"));
    check_long(&input, buf_view(&expected));
    buf_done(&input);
    buf_done(&expected);
}

/* Names, values without quotes, white space, slashes: each may be endless. */
static void whatever_is_long_is_found(void **state) {
    (void)state;
    static const struct {
        const char *before, *long_one, *behind, *expected;
    } rows[] = {
        {"<a b=c ", " ", "d=e><i>", "part of start a b=c\nstart a b=c d=e\nstart i\n"},
        {"<a b=c ", "/", "d=\"e\"/><i>", "part of start a b=c\nstart a b=c d=e /\nstart i\n"},
        {"<a b=c ", "n", "=e f=g><i>", "part of start a b=c\nstart a b=c f=g\nstart i\n"},
        {"<a b=c d", " ", "=e f=g><i>", "part of start a b=c\nstart a b=c f=g\nstart i\n"},
        {"<a b=c d=", " ", "e f=g><i>", "part of start a b=c\nstart a b=c f=g\nstart i\n"},
        {"</b", " ", ">", "part of end b\nend b\n"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct buf input;
        buf_init(&input, 1 << 20);
        repeat(&input, rows[i].before, 1);
        repeat(&input, rows[i].long_one, HTML_TAG_MAX + 100);
        repeat(&input, rows[i].behind, 1);
        check_long(&input, view_from_cstr(rows[i].expected));
        buf_done(&input);
    }
}

static void attributes_beyond_the_list_are_in_further_parts(void **state) {
    (void)state;
    struct buf input, expected;
    buf_init(&input, 1 << 20);
    buf_init(&expected, 1 << 20);
    buf_append_view(&input, VIEW("<a"));
    buf_append_view(&expected, VIEW("part of start a"));
    for (int i = 0; i < HTML_ATTRS_MAX; i++) buf_printf(&input, " a%d=\"b\"", i);
    for (int i = 0; i < HTML_ATTRS_MAX; i++) buf_printf(&expected, " a%d=b", i);
    buf_append_view(&input, VIEW(" last><b>"));
    buf_append_view(&expected, VIEW("\nstart a"));
    for (int i = 0; i < 32; i++) buf_printf(&expected, " a%d=b", i);
    buf_append_view(&expected, VIEW(" last=\nstart b\n"));
    check_long(&input, buf_view(&expected));
    buf_done(&input);
    buf_done(&expected);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_standards_tests_find_what_they_expect),
        cmocka_unit_test(raw_text_follows_its_element),
        cmocka_unit_test(foreign_elements_have_no_raw_text),
        cmocka_unit_test(a_long_value_is_said_by_its_head),
        cmocka_unit_test(whatever_is_long_is_found),
        cmocka_unit_test(attributes_beyond_the_list_are_in_further_parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
