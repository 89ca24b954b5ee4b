/* See config_file.h. */
#include "yaml/config_file.h"

#include <errno.h>
#include <stdio.h>
#include <yaml.h>

enum file_phase {
    FILE_BEFORE, /* the stream, the document or its mapping begins */
    FILE_NAMES,  /* a name, or the end of the mapping */
    FILE_VALUE,  /* the value of that name */
    FILE_ITEMS,  /* items of its list */
    FILE_AFTER   /* nothing but ends */
};

struct file_parser {
    enum file_phase phase;
    config_entry_fn *take;
    void *ctx;
    struct buf name, value, sections[CONFIG_SECTIONS_MAX];
    unsigned depth, depth_max; /* sections that we are in, and may be */
    unsigned line;             /* of `name` */
    struct config_problem *problem;
};

static bool refuse(struct file_parser *parser, unsigned line, const char *why) {
    parser->problem->line = line;
    snprintf(parser->problem->text, sizeof(parser->problem->text), "%s", why);
    return false;
}

static bool is_plain(struct view text) {
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.ptr[i] < 0x20 || text.ptr[i] == 0x7f) return false;
    return true;
}

static bool give(struct file_parser *parser, struct config_entry *entry) {
    entry->name = buf_view(&parser->name);
    entry->value = buf_view(&parser->value);
    entry->line = parser->line;
    for (unsigned i = 0; i < parser->depth; i++) entry->sections[i] = buf_view(&parser->sections[i]);
    bool taken = parser->take(parser->ctx, entry, parser->problem);
    if (!taken && parser->problem->line == 0) parser->problem->line = parser->line;
    parser->phase = FILE_NAMES;
    return taken;
}

static bool finish_entry(struct file_parser *parser, bool is_list) {
    struct config_entry entry = {.is_list = is_list};
    return give(parser, &entry);
}

/* The name that was read is a section's. */
static bool begin_section(struct file_parser *parser) {
    struct config_entry entry = {.is_section = true};
    if (!give(parser, &entry)) return false;
    struct buf *section = &parser->sections[parser->depth++];
    buf_clear(section);
    return buf_append_view(section, buf_view(&parser->name)) || refuse(parser, parser->line, "out of memory");
}

static bool on_scalar(struct file_parser *parser, const yaml_event_t *event, unsigned line) {
    struct view text = view_of(event->data.scalar.value, event->data.scalar.length);
    struct buf *out = parser->phase == FILE_NAMES ? &parser->name : &parser->value;
    if (event->data.scalar.anchor || event->data.scalar.tag)
        return refuse(parser, line, "anchors and tags are not for settings");
    if (!is_plain(text)) return refuse(parser, line, "a value holds a line break or a control character");
    if (parser->phase == FILE_NAMES && text.len == 0) return refuse(parser, line, "a name is empty");
    if (parser->phase == FILE_ITEMS && out->len) buf_append_byte(out, ',');
    if (!buf_append_view(out, text)) return refuse(parser, line, "out of memory");
    switch (parser->phase) {
    case FILE_NAMES:
        parser->phase = FILE_VALUE;
        parser->line = line;
        return true;
    case FILE_VALUE: return finish_entry(parser, false);
    case FILE_ITEMS: return true;
    default: return refuse(parser, line, "expected settings as \"name: value\"");
    }
}

static bool on_list(struct file_parser *parser, const yaml_event_t *event, unsigned line) {
    if (event->data.sequence_start.anchor || event->data.sequence_start.tag)
        return refuse(parser, line, "anchors and tags are not for settings");
    if (parser->phase == FILE_BEFORE) return refuse(parser, line, "expected settings as \"name: value\"");
    if (parser->phase != FILE_VALUE) return refuse(parser, line, "a list cannot stand here");
    parser->phase = FILE_ITEMS;
    return true;
}

static bool on_mapping(struct file_parser *parser, const yaml_event_t *event, unsigned line) {
    if (event->data.mapping_start.anchor || event->data.mapping_start.tag)
        return refuse(parser, line, "anchors and tags are not for settings");
    if (parser->phase == FILE_VALUE && parser->depth < parser->depth_max) return begin_section(parser);
    if (parser->phase != FILE_BEFORE) return refuse(parser, line, "settings have no settings of their own");
    parser->phase = FILE_NAMES;
    return true;
}

static bool on_event(struct file_parser *parser, const yaml_event_t *event) {
    unsigned line = (unsigned)event->start_mark.line + 1;
    if (parser->phase == FILE_NAMES) {
        buf_clear(&parser->name);
        buf_clear(&parser->value);
    }
    switch (event->type) {
    case YAML_SCALAR_EVENT: return on_scalar(parser, event, line);
    case YAML_SEQUENCE_START_EVENT: return on_list(parser, event, line);
    case YAML_SEQUENCE_END_EVENT: return finish_entry(parser, true);
    case YAML_MAPPING_START_EVENT: return on_mapping(parser, event, line);
    case YAML_MAPPING_END_EVENT:
        if (parser->depth)
            parser->depth--;
        else
            parser->phase = FILE_AFTER;
        return true;
    case YAML_DOCUMENT_START_EVENT:
        return parser->phase == FILE_BEFORE || refuse(parser, line, "one document is enough");
    case YAML_ALIAS_EVENT: return refuse(parser, line, "aliases are not for settings");
    default: return true;
    }
}

static bool refuse_yaml(struct file_parser *parser, const yaml_parser_t *yaml) {
    const char *what = yaml->problem ? yaml->problem : "it is not YAML";
    return refuse(parser, (unsigned)yaml->problem_mark.line + 1, what);
}

static bool parse_all(struct file_parser *parser, yaml_parser_t *yaml) {
    for (bool ended = false; !ended;) {
        yaml_event_t event;
        if (!yaml_parser_parse(yaml, &event)) return refuse_yaml(parser, yaml);
        ended = event.type == YAML_STREAM_END_EVENT;
        bool good = on_event(parser, &event);
        yaml_event_delete(&event);
        if (!good) return false;
    }
    return true;
}

bool config_file_parse_sections(struct view text, unsigned depth, config_entry_fn *take, void *ctx,
                                struct config_problem *ret_problem) {
    struct file_parser parser = {.take = take, .ctx = ctx, .depth_max = depth, .problem = ret_problem};
    yaml_parser_t yaml;
    *ret_problem = (struct config_problem){0};
    if (text.len > CONFIG_FILE_BYTES_MAX) return refuse(&parser, 0, "it is larger than 64 KiB");
    if (!yaml_parser_initialize(&yaml)) return refuse(&parser, 0, "out of memory");
    yaml_parser_set_input_string(&yaml, (const unsigned char *)(text.ptr ? text.ptr : ""), text.len);
    buf_init(&parser.name, CONFIG_FILE_BYTES_MAX);
    for (unsigned i = 0; i < CONFIG_SECTIONS_MAX; i++) buf_init(&parser.sections[i], CONFIG_FILE_BYTES_MAX);
    buf_init(&parser.value, (size_t)2 * CONFIG_FILE_BYTES_MAX);
    bool good = parse_all(&parser, &yaml);
    yaml_parser_delete(&yaml);
    buf_done(&parser.name);
    buf_done(&parser.value);
    for (unsigned i = 0; i < CONFIG_SECTIONS_MAX; i++) buf_done(&parser.sections[i]);
    return good;
}

bool config_file_parse(struct view text, config_entry_fn *take, void *ctx,
                       struct config_problem *ret_problem) {
    return config_file_parse_sections(text, 0, take, ctx, ret_problem);
}

static bool load(FILE *file, struct buf *text) {
    char *room = buf_reserve(text, CONFIG_FILE_BYTES_MAX + 1);
    errno = room ? 0 : ENOMEM;
    if (room) buf_commit(text, fread(room, 1, CONFIG_FILE_BYTES_MAX + 1, file));
    return room && !ferror(file);
}

bool config_file_load(const char *path, struct buf *ret_text, struct config_problem *ret_problem) {
    *ret_problem = (struct config_problem){0};
    buf_init(ret_text, CONFIG_FILE_BYTES_MAX + 1);
    FILE *file = fopen(path, "re");
    bool loaded = file && load(file, ret_text), fits = buf_view(ret_text).len <= CONFIG_FILE_BYTES_MAX;
    const char *why = loaded ? "it is larger than 64 KiB" : strerror(errno);
    if (!loaded || !fits) snprintf(ret_problem->text, sizeof(ret_problem->text), "%s", why);
    if (file) fclose(file);
    return loaded && fits;
}

bool config_file_read(const char *path, config_entry_fn *take, void *ctx,
                      struct config_problem *ret_problem) {
    struct buf text;
    bool good = config_file_load(path, &text, ret_problem) &&
                config_file_parse(buf_view(&text), take, ctx, ret_problem);
    buf_done(&text);
    return good;
}

const char *config_file_library(void) {
    static char text[32];
    snprintf(text, sizeof(text), "libyaml %.20s", yaml_get_version_string());
    return text;
}
