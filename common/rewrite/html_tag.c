/* Tags. Nearly all are read at one go; the states of the standard read what is written otherwise, or comes in
 * pieces. */
#include "http/chars.h"
#include "rewrite/html_state.h"
#include "rewrite/html_tree.h"
#include "rewrite/scan.h"

/* So much of a tag that is handed out in parts is kept for its later parts: its name, and short attributes.
 */
#define KEPT_MAX ((size_t)2 * 1024)
#define KEPT_ATTRS_MAX 32
#define KEPT_NAME_MAX 64
/* An attribute under way that is longer than this is not kept whole. */
#define ATTR_MAX (HTML_TAG_MAX / 2)

static bool ends_attr_name(char byte) {
    return (html_classes[(unsigned char)byte] & 4) != 0;
}

/* Of the tag under way, to `at`. */
static size_t offset(const struct html_tokens *tokens, const char *at) {
    return tokens->held + (size_t)(at - tokens->mark);
}

/* ---- handing it out ---- */

static struct html_tag tag_of(const struct html_tokens *tokens, struct view raw) {
    size_t from = tokens->is_end ? 2 : 1;
    return (struct html_tag){.raw = raw,
                             .said = tokens->said,
                             .name = view_slice(raw, from, tokens->name_end),
                             .is_end = tokens->is_end,
                             .is_self_closing = tokens->is_self_closing,
                             .attrs = tokens->attrs,
                             .attr_count = tokens->attr_count};
}

/* The tag's bytes in one piece. */
static struct view gather(struct html_tokens *tokens, const char *to) {
    size_t fresh = (size_t)(to - tokens->mark);
    if (tokens->held == 0) return view_of(tokens->mark, fresh);
    memcpy(tokens->hold + tokens->held, tokens->mark, fresh);
    return view_of(tokens->hold, tokens->held + fresh);
}

/* `before`: how much of what is not said is text before it. */
static void finish_tag(struct html_tokens *tokens, const char *to, size_t before) {
    struct view raw = gather(tokens, to);
    struct html_tag tag = tag_of(tokens, view_skip(raw, before));
    tag.before = before;
    tokens->model = MODEL_DATA;
    tokens->escape = 0;
    tokens->run = 0;
    tag.is_foreign = tokens->is_end ? html_tree_end(tokens) : html_tree_start(tokens);
    tokens->state = TEXT;
    tokens->held = tokens->said = 0;
    tokens->mark = to;
    tokens->handler.on_tag(tokens->handler.ctx, &tag);
}

/* ---- in parts ---- */

/* The attribute that the tag ends within, so far. */
static struct html_attr *under_way(const struct html_tokens *tokens) {
    bool within = tokens->state >= NAME && tokens->state <= UNQUOTED;
    return within ? tokens->attr : NULL;
}

/* Of what has been handed out the name and short attributes move to the front. */
static void keep_short(struct html_tokens *tokens, size_t attr_count) {
    size_t len = tokens->name_end, count = 0;
    for (size_t i = 0; i < attr_count && count < KEPT_ATTRS_MAX; i++) {
        struct html_attr attr = tokens->attrs[i];
        size_t end = attr.value ? attr.value_end : attr.name_end, size = end - attr.name;
        if (len + 1 + size > KEPT_MAX) continue;
        uint16_t back = (uint16_t)(attr.name - (len + 1));
        memmove(tokens->hold + len + 1, tokens->hold + attr.name, size);
        tokens->hold[len] = ' ';
        len += 1 + size;
        attr.name = (uint16_t)(attr.name - back);
        attr.name_end = (uint16_t)(attr.name_end - back);
        if (attr.value) attr.value = (uint16_t)(attr.value - back);
        if (attr.value) attr.value_end = (uint16_t)(attr.value_end - back);
        tokens->attrs[count++] = attr;
    }
    tokens->said = (uint16_t)len;
    tokens->attr_count = count;
}

/* The attribute under way follows what was kept. */
static void move_attr(struct html_tokens *tokens, struct html_attr attr, size_t len) {
    uint16_t back = (uint16_t)(attr.name - tokens->said);
    memmove(tokens->hold + tokens->said, tokens->hold + attr.name, len);
    attr.name = tokens->said;
    attr.name_end = (uint16_t)(attr.name_end - back);
    if (attr.value) attr.value = (uint16_t)(attr.value - back);
    if (attr.value) attr.value_end = (uint16_t)(attr.value_end - back);
    tokens->attr = &tokens->attrs[tokens->attr_count++];
    *tokens->attr = attr;
    tokens->held = tokens->said + len;
}

static void say_part(struct html_tokens *tokens, size_t to, bool is_cut) {
    struct html_tag tag = tag_of(tokens, view_of(tokens->hold, to));
    tag.goes_on = true;
    tag.is_cut = is_cut;
    tokens->handler.on_tag(tokens->handler.ctx, &tag);
}

/* The tag is longer than what is kept of one, or has more attributes: what is whole is handed out. An
 * attribute that is too long for that, too: then its value, if that is what is long, passes as it comes. */
static void spill(struct html_tokens *tokens, const char *at) {
    size_t all = offset(tokens, at);
    memcpy(tokens->hold + tokens->held, tokens->mark, all - tokens->held);
    tokens->mark = at;
    if (tokens->state == TAG_NAME || tokens->name_end > KEPT_NAME_MAX) tokens->name_end = KEPT_NAME_MAX;
    const struct html_attr *attr = under_way(tokens);
    bool is_long = attr && all - attr->name > ATTR_MAX;
    bool is_cut = is_long && attr->value > 0;
    if (is_long) tokens->attr = NULL;
    if (attr && !is_cut) tokens->attr_count--;
    struct html_attr kept = attr ? *attr : (struct html_attr){0};
    size_t to = attr && !is_long ? attr->name : all;
    say_part(tokens, to, is_cut);
    keep_short(tokens, tokens->attr_count - is_cut);
    tokens->held = tokens->said;
    tokens->passes = is_cut;
    if (to < all) move_attr(tokens, kept, all - to);
}

/* The rest of a value of which the head was handed out. */
static const char *pass_value(struct html_tokens *tokens, const char *at, const char *end) {
    const char *to = at;
    if (tokens->state == UNQUOTED)
        while (to < end && !html_is_space(*to) && *to != '>') to++;
    else
        to = memchr(at, tokens->state == DOUBLE_QUOTED ? '"' : '\'', (size_t)(end - at));
    tokens->passes = !to || to == end;
    tokens->mark = to ? to : end;
    if (tokens->mark > at)
        tokens->handler.on_raw(tokens->handler.ctx, HTML_OTHER, view_of(at, (size_t)(tokens->mark - at)),
                               false);
    return tokens->mark;
}

/* ---- the states ---- */

void html_tag_begin(struct html_tokens *tokens, bool is_end) {
    tokens->state = TAG_NAME;
    tokens->is_end = is_end;
    tokens->is_self_closing = tokens->passes = false;
    tokens->name_len = 0;
    tokens->attr_count = 0;
}

static void begin_attr(struct html_tokens *tokens, const char *at) {
    if (tokens->attr_count == HTML_ATTRS_MAX) spill(tokens, at);
    size_t place = offset(tokens, at);
    tokens->state = NAME;
    tokens->attr = &tokens->attrs[tokens->attr_count++];
    *tokens->attr = (struct html_attr){.name = (uint16_t)place, .name_end = (uint16_t)place};
}

static void end_attr_name(struct html_tokens *tokens, const char *at) {
    if (tokens->attr) tokens->attr->name_end = (uint16_t)offset(tokens, at);
}

static void begin_value(struct html_tokens *tokens, const char *at) {
    if (tokens->attr) tokens->attr->value = tokens->attr->value_end = (uint16_t)offset(tokens, at);
}

static void end_value(struct html_tokens *tokens, const char *at) {
    if (tokens->attr) tokens->attr->value_end = (uint16_t)offset(tokens, at);
}

/* What may follow a tag's name or an attribute. */
static const char *between(struct html_tokens *tokens, const char *at) {
    if (*at == '>') {
        finish_tag(tokens, at + 1, 0);
    } else if (*at == '/') {
        tokens->state = SLASH;
    } else if (html_is_space(*at)) {
        tokens->state = BEFORE_NAME;
    } else {
        begin_attr(tokens, at);
    }
    return at + 1;
}

const char *html_tag_end_raw(struct html_tokens *tokens, const char *at) {
    unsigned char len = tokens->name_len;
    html_tag_begin(tokens, true);
    tokens->name_len = len;
    tokens->name_end = (uint16_t)(2 + len);
    return between(tokens, at);
}

static void add_to_name(struct html_tokens *tokens, char byte) {
    if (tokens->name_len < HTML_NAME_MAX) tokens->name[tokens->name_len] = http_lower(byte);
    if (tokens->name_len <= HTML_NAME_MAX) tokens->name_len++;
}

static const char *on_tag_name(struct html_tokens *tokens, const char *at, const char *end) {
    for (; at < end && !html_ends_name(*at); at++) add_to_name(tokens, *at);
    if (at == end) return at;
    if (tokens->said == 0) tokens->name_end = (uint16_t)offset(tokens, at);
    return between(tokens, at);
}

static const char *on_attr_name(struct html_tokens *tokens, const char *at, const char *end) {
    while (at < end && !ends_attr_name(*at)) at++;
    end_attr_name(tokens, at);
    if (at == end) return at;
    if (*at == '=')
        tokens->state = BEFORE_VALUE;
    else if (html_is_space(*at))
        tokens->state = AFTER_NAME;
    else
        return between(tokens, at);
    return at + 1;
}

static const char *on_before_value(struct html_tokens *tokens, const char *at) {
    if (html_is_space(*at)) return at + 1;
    if (*at == '>') return between(tokens, at);
    if (*at == '"' || *at == '\'') {
        tokens->state = *at == '"' ? DOUBLE_QUOTED : SINGLE_QUOTED;
        begin_value(tokens, at + 1);
        return at + 1;
    }
    tokens->state = UNQUOTED;
    begin_value(tokens, at);
    return at;
}

static const char *on_quoted(struct html_tokens *tokens, const char *at, const char *end) {
    const char *quote = memchr(at, tokens->state == DOUBLE_QUOTED ? '"' : '\'', (size_t)(end - at));
    end_value(tokens, quote ? quote : end);
    if (!quote) return end;
    tokens->state = AFTER_VALUE;
    return quote + 1;
}

static const char *on_unquoted(struct html_tokens *tokens, const char *at, const char *end) {
    while (at < end && !html_is_space(*at) && *at != '>') at++;
    end_value(tokens, at);
    return at == end ? at : between(tokens, at);
}

static const char *on_tag(struct html_tokens *tokens, const char *at, const char *end) {
    switch (tokens->state) {
    case TAG_NAME: return on_tag_name(tokens, at, end);
    case NAME: return on_attr_name(tokens, at, end);
    case AFTER_NAME:
        if (*at == '=') tokens->state = BEFORE_VALUE;
        if (*at == '=' || html_is_space(*at)) return at + 1;
        return between(tokens, at);
    case BEFORE_VALUE: return on_before_value(tokens, at);
    case DOUBLE_QUOTED:
    case SINGLE_QUOTED: return on_quoted(tokens, at, end);
    case UNQUOTED: return on_unquoted(tokens, at, end);
    case SLASH: tokens->is_self_closing = *at == '>'; return between(tokens, at);
    default: return between(tokens, at);
    }
}

/* Parts end where so many bytes have come, however they were cut. */
const char *html_tag_step(struct html_tokens *tokens, const char *at, const char *end) {
    if (tokens->passes) return pass_value(tokens, at, end);
    size_t room = HTML_TAG_MAX - offset(tokens, at);
    const char *limit = (size_t)(end - at) > room ? at + room : end;
    while (at < limit && html_is_in_tag(tokens->state)) {
        at = on_tag(tokens, at, limit);
    }
    if (html_is_in_tag(tokens->state) && offset(tokens, at) == HTML_TAG_MAX) spill(tokens, at);
    return at;
}

/* ---- at one go ---- */

/* The first byte that ends an attribute's name, or a tag's; `end` where there is none. All that do stand
 * before the letters. */
static const char *name_end(const char *at, const char *end) {
    while (end - at >= 8) {
        uint64_t marks = scan_below(scan_load(at), 'A');
        if (marks && ends_attr_name(at[scan_first(marks)])) return at + scan_first(marks);
        at += marks ? scan_first(marks) + 1 : 8;
    }
    while (at < end && !ends_attr_name(*at)) at++;
    return at;
}

static const char *whole_name(struct html_tokens *tokens, const char *open, const char *at, const char *end) {
    const char *to = name_end(at, end);
    size_t len = (size_t)(to - at);
    if (len <= 8 && end - at >= 8) {
        scan_store(tokens->name, scan_lower(scan_load(at)));
        tokens->name_len = (unsigned char)len;
    } else {
        for (size_t i = 0; i < len; i++) add_to_name(tokens, at[i]);
    }
    tokens->name_end = (uint16_t)(to - open);
    return to;
}

static void whole_value(struct html_tokens *tokens, const char *open, const char *from, const char *to) {
    struct html_attr *attr = &tokens->attrs[tokens->attr_count - 1];
    attr->value = (uint16_t)(from - open);
    attr->value_end = (uint16_t)(to - open);
}

/* From its name. NULL: it is written oddly, or not whole. */
static const char *whole_attr(struct html_tokens *tokens, const char *open, const char *name,
                              const char *end) {
    const char *at = name_end(name, end);
    if (at == name || end - at < 2 || tokens->attr_count == HTML_ATTRS_MAX) return NULL;
    tokens->attrs[tokens->attr_count++] =
        (struct html_attr){.name = (uint16_t)(name - open), .name_end = (uint16_t)(at - open)};
    if (*at != '=') return html_is_space(*at) && (html_is_space(at[1]) || at[1] == '=') ? NULL : at;
    char quote = at[1];
    const char *value = quote == '"' || quote == '\'' ? at + 2 : NULL, *to = NULL;
    if (value) to = scan_find(value, quote, end);
    if (!to) return NULL;
    whole_value(tokens, open, value, to);
    return to + 1;
}

const char *html_tag_whole(struct html_tokens *tokens, const char *open, const char *end) {
    bool is_end = open[1] == '/';
    const char *at = open + 1 + is_end;
    if ((size_t)(end - open) > HTML_TAG_MAX) end = open + HTML_TAG_MAX;
    if (at >= end || !html_is_letter(*at)) return NULL;
    html_tag_begin(tokens, is_end);
    at = whole_name(tokens, open, at, end);
    while (at < end && *at != '>') {
        while (at < end && html_is_space(*at)) at++;
        if (at == end || *at == '>') break;
        tokens->is_self_closing = *at == '/' && at + 1 < end && at[1] == '>';
        at = tokens->is_self_closing ? at + 1 : whole_attr(tokens, open, at, end);
        if (!at) return NULL;
    }
    if (at == end) return NULL;
    finish_tag(tokens, at + 1, (size_t)(open - tokens->mark));
    return at + 1;
}
