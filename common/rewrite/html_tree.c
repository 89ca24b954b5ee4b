/* A stack of the open elements that switch between HTML and SVG or MathML, and nothing else. */
#include "rewrite/html_tree.h"

enum { SVG = 1, MATH, HTML_AGAIN };

struct element {
    struct view name;
    unsigned char what, within;
};

/* HTML_AGAIN: integration points, in which HTML's rules hold. */
static const struct element elements[] = {
    {{"svg", 3}, SVG, 0},
    {{"math", 4}, MATH, 0},
    {{"foreignobject", 13}, HTML_AGAIN, SVG},
    {{"desc", 4}, HTML_AGAIN, SVG},
    {{"title", 5}, HTML_AGAIN, SVG},
    {{"mi", 2}, HTML_AGAIN, MATH},
    {{"mo", 2}, HTML_AGAIN, MATH},
    {{"mn", 2}, HTML_AGAIN, MATH},
    {{"ms", 2}, HTML_AGAIN, MATH},
    {{"mtext", 5}, HTML_AGAIN, MATH},
};
#define ELEMENTS (sizeof(elements) / sizeof(elements[0]))

/* Start tags that end SVG and MathML (13.2.6.5). */
static const char *const leaving[] = {
    "b",     "big",   "blockquote", "body",   "br",   "center", "code",  "dd", "div",  "dl",   "dt",
    "em",    "embed", "h1",         "h2",     "h3",   "h4",     "h5",    "h6", "head", "hr",   "i",
    "img",   "li",    "listing",    "menu",   "meta", "nobr",   "ol",    "p",  "pre",  "ruby", "s",
    "small", "span",  "strong",     "strike", "sub",  "sup",    "table", "tt", "u",    "ul",   "var",
};

static struct view name_of(const struct html_tokens *tokens) {
    return view_of(tokens->name, tokens->name_len <= HTML_NAME_MAX ? tokens->name_len : 0);
}

static unsigned char place(const struct html_tokens *tokens) {
    if (tokens->foreign_count == 0) return 0;
    return elements[tokens->foreign[tokens->foreign_count - 1]].what;
}

bool html_tree_is_foreign(const struct html_tokens *tokens) {
    unsigned char here = place(tokens);
    return here == SVG || here == MATH;
}

static bool is_leaving(struct view name) {
    for (size_t i = 0; i < sizeof(leaving) / sizeof(leaving[0]); i++)
        if (view_eq(name, view_from_cstr(leaving[i]))) return true;
    return false;
}

/* Where it opens something that matters, it is put on the stack. A stack that is full keeps what it has. */
static void open(struct html_tokens *tokens, struct view name, unsigned char here) {
    for (size_t i = 0; i < ELEMENTS; i++) {
        bool fits = elements[i].within == 0 || elements[i].within == here;
        if (!fits || !view_eq(name, elements[i].name)) continue;
        if (!tokens->is_self_closing && tokens->foreign_count < HTML_FOREIGN_MAX)
            tokens->foreign[tokens->foreign_count++] = (unsigned char)i;
        return;
    }
}

static enum html_model model_of(struct view name) {
    static const struct view raw[] = {{"style", 5},  {"title", 5},   {"textarea", 8}, {"xmp", 3},
                                      {"iframe", 6}, {"noembed", 7}, {"noframes", 8}};
    if (view_eq(name, VIEW("script"))) return MODEL_SCRIPT;
    if (view_eq(name, VIEW("plaintext"))) return MODEL_PLAIN;
    for (size_t i = 0; i < sizeof(raw) / sizeof(raw[0]); i++)
        if (view_eq(name, raw[i])) return MODEL_RAW;
    return MODEL_DATA;
}

/* Nearly all tags are told by their length and first letter: HTML's, and none that changes the model. */
static bool may_matter(struct view name) {
    static const uint16_t lengths[32] = {
        ['s' & 31] = 1 << 3 | 1 << 5 | 1 << 6,
        ['m' & 31] = 1 << 4,
        ['t' & 31] = 1 << 5 | 1 << 8,
        ['x' & 31] = 1 << 3,
        ['i' & 31] = 1 << 6,
        ['n' & 31] = 1 << 7 | 1 << 8,
        ['p' & 31] = 1 << 9,
    };
    return name.len > 0 && (lengths[name.ptr[0] & 31] >> name.len & 1) != 0;
}

bool html_tree_start(struct html_tokens *tokens) {
    struct view name = name_of(tokens);
    if (tokens->foreign_count == 0 && !may_matter(name)) return false;
    if (html_tree_is_foreign(tokens)) {
        if (!is_leaving(name)) {
            open(tokens, name, place(tokens));
            return true;
        }
        while (html_tree_is_foreign(tokens)) tokens->foreign_count--;
    }
    bool opens = view_eq(name, VIEW("svg")) || view_eq(name, VIEW("math"));
    if (opens) open(tokens, name, 0);
    if (!opens) tokens->model = model_of(name);
    return opens;
}

bool html_tree_end(struct html_tokens *tokens) {
    if (tokens->foreign_count == 0) return false;
    bool foreign = html_tree_is_foreign(tokens);
    struct view name = name_of(tokens);
    for (size_t i = tokens->foreign_count; i > 0; i--) {
        const struct element *element = &elements[tokens->foreign[i - 1]];
        if (!view_eq(element->name, name)) continue;
        tokens->foreign_count = i - 1;
        return foreign || element->what != HTML_AGAIN || html_tree_is_foreign(tokens);
    }
    return foreign;
}
