/* A state a byte; no tree, and nothing is checked: what is no XML passes. */
#include "rewrite/xml.h"

enum state {
    FIRST, /* of a text: nothing but white space yet */
    TEXT,
    OPEN,   /* "<" */
    BANG,   /* "<!" */
    PASSED, /* a comment, CDATA, an instruction, a declaration; to its end */
    NAME,
    TAG,
    VALUE_FIRST,
    VALUE,
};

static bool is_space(char byte) {
    return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r';
}

static void say_text(struct xml *xml, const char *to) {
    if (to > xml->mark) xml->found.on_text(xml->found.ctx, view_of(xml->mark, (size_t)(to - xml->mark)));
    xml->mark = to;
}

static void say_held(struct xml *xml, const char *next) {
    struct view raw = view_of(xml->hold.raw, xml->hold.len);
    xml->hold.len = 0;
    xml->holds = false;
    xml->mark = next;
    if (raw.len) xml->found.on_url(xml->found.ctx, raw, URL_WHOLE);
}

static void hold(struct xml *xml, const char *at) {
    if (xml->holds && !url_hold_add(&xml->hold, *at)) say_held(xml, at);
}

static void begin_hold(struct xml *xml, const char *at) {
    say_text(xml, at);
    xml->holds = true;
    hold(xml, at);
}

static bool begins_url(const struct xml *xml, char byte, bool is_text) {
    bool in_href =
        is_text && !xml->is_end_tag && view_eq_nocase(view_of(xml->name, xml->name_len), VIEW("href"));
    return (byte | 0x20) == 'h' || (byte == '/' && in_href);
}

static void pass(struct xml *xml, const char *end) {
    xml->state = PASSED;
    xml->end = end;
    xml->run = 0;
}

/* What a comment or CDATA is told by: its first character. */
static void on_bang(struct xml *xml, char byte) {
    pass(xml, byte == '-' ? "-->" : byte == '[' ? "]]>" : ">");
}

/* "--->" ends a comment as "-->" does: a run of the first character keeps its length. */
static void on_passed(struct xml *xml, char byte) {
    bool ends_run = xml->end[xml->run] == '>';
    if (byte == xml->end[xml->run])
        xml->run++;
    else if (!ends_run || byte != xml->end[0])
        xml->run = byte == xml->end[0];
    if (xml->end[xml->run] != '\0') return;
    xml->state = FIRST;
    xml->is_end_tag = true; /* the text behind it is no element's beginning */
}

static void on_name(struct xml *xml, char byte) {
    if (byte == ':') {
        xml->name_len = 0;
    } else if (byte == '>' || byte == '/' || is_space(byte)) {
        xml->state = byte == '>' ? FIRST : TAG;
        if (byte == '/') xml->is_end_tag = true; /* "<a/>" */
    } else if (xml->name_len < XML_NAME_MAX) {
        xml->name[xml->name_len++] = byte;
    }
}

static void on_open(struct xml *xml, char byte) {
    xml->state = NAME;
    xml->is_end_tag = byte == '/';
    xml->name_len = 0;
    if (byte == '!')
        xml->state = BANG;
    else if (byte == '?')
        pass(xml, "?>");
    else if (byte != '/')
        on_name(xml, byte);
}

static void on_tag(struct xml *xml, char byte) {
    if (byte == '>') xml->state = FIRST;
    if (byte == '/') xml->is_end_tag = true;
    if (byte != '"' && byte != '\'') return;
    xml->state = VALUE_FIRST;
    xml->quote = byte;
}

static void on_value(struct xml *xml, const char *at) {
    if (*at == xml->quote) {
        if (xml->holds) say_held(xml, at);
        xml->state = TAG;
        return;
    }
    if (xml->state == VALUE_FIRST && begins_url(xml, *at, false))
        begin_hold(xml, at);
    else
        hold(xml, at);
    xml->state = VALUE;
}

static void on_text(struct xml *xml, const char *at) {
    if (*at == '<') {
        if (xml->holds) say_held(xml, at);
        xml->state = OPEN;
        return;
    }
    if (xml->state == FIRST && is_space(*at)) return;
    if (xml->state == FIRST && begins_url(xml, *at, true))
        begin_hold(xml, at);
    else
        hold(xml, at);
    xml->state = TEXT;
}

static void step(struct xml *xml, const char *at) {
    switch (xml->state) {
    case OPEN: on_open(xml, *at); break;
    case BANG: on_bang(xml, *at); break;
    case PASSED: on_passed(xml, *at); break;
    case NAME: on_name(xml, *at); break;
    case TAG: on_tag(xml, *at); break;
    case VALUE_FIRST:
    case VALUE: on_value(xml, at); break;
    default: on_text(xml, at); break;
    }
}

void xml_init(struct xml *xml, const struct url_found *found) {
    memset(xml, 0, offsetof(struct xml, hold));
    xml->hold.len = 0;
    xml->found = *found;
    xml->state = FIRST;
}

void xml_feed(struct xml *xml, struct view bytes) {
    const char *end = bytes.ptr + bytes.len;
    xml->mark = bytes.ptr;
    for (const char *at = bytes.ptr; at < end; at++) step(xml, at);
    if (!xml->holds) say_text(xml, end);
    xml->mark = NULL;
}

void xml_end(struct xml *xml) {
    if (xml->holds) say_held(xml, NULL);
}
