/* No parser: brackets and strings are followed, and whatever else there is passes. */
#include "rewrite/json.h"

enum state { BASE, STRING, STRING_ESCAPE };

enum key { OTHER, SERVERS, URL, BASE_PATH, HOST, OAUTH, MANIFEST_URL, INTEGRITY };
#define OBJECT 0x80

struct named {
    struct view name;
    enum key key;
};

static const struct named keys[] = {
    {{"servers", 7}, SERVERS},     {{"url", 3}, URL},
    {{"basePath", 8}, BASE_PATH},  {{"host", 4}, HOST},
    {{"tokenUrl", 8}, OAUTH},      {{"authorizationUrl", 16}, OAUTH},
    {{"refreshUrl", 10}, OAUTH},   {{"start_url", 9}, MANIFEST_URL},
    {{"scope", 5}, MANIFEST_URL},  {{"id", 2}, MANIFEST_URL},
    {{"src", 3}, MANIFEST_URL},    {{"action", 6}, MANIFEST_URL},
    {{"integrity", 9}, INTEGRITY},
};

static void say_text(struct json *json, const char *to) {
    if (to > json->mark) json->found.on_text(json->found.ctx, view_of(json->mark, (size_t)(to - json->mark)));
    json->mark = to;
}

static unsigned char container(const struct json *json) {
    return json->depth && json->depth <= JSON_DEPTH_MAX ? json->within[json->depth - 1] : 0;
}

static enum key key_of(struct view name) {
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        if (view_eq(keys[i].name, name)) return keys[i].key;
    return OTHER;
}

static void on_key(struct json *json, struct view name) {
    json->key = (unsigned char)key_of(name);
    if (json->depth == 1 && (view_eq(name, VIEW("openapi")) || view_eq(name, VIEW("swagger"))))
        json->is_openapi = true;
}

/* The first of its characters; -1: none, or one that stands for none. */
static int first_char(struct view raw) {
    int byte = -1;
    if (raw.len) json_char(raw, 0, &byte);
    return byte;
}

/* Is it under /api or the like, or does it end like a document? */
static bool is_path_like(struct view raw) {
    static const struct view tops[] = {{"/api", 4}, {"/docs", 5}, {"/openapi", 8}, {"/swagger", 8},
                                       {"/v1", 3},  {"/v2", 3},   {"/v3", 3}};
    struct view path = view_skip(raw, raw.ptr[0] == '\\' ? 1 : 0);
    for (size_t i = 0; i < sizeof(tops) / sizeof(tops[0]); i++) {
        struct view rest = view_skip(path, tops[i].len);
        if (view_starts_with(path, tops[i]) && (!rest.len || memchr("/\\?#", rest.ptr[0], 4))) return true;
    }
    return view_ends_with(raw, VIEW(".json")) || view_ends_with(raw, VIEW(".yaml")) ||
           view_ends_with(raw, VIEW(".yml"));
}

static bool is_openapi_url(const struct json *json) {
    if (!json->is_openapi) return false;
    bool server = json->key == URL && (container(json) & ~OBJECT) == SERVERS;
    return server || json->key == OAUTH || (json->key == BASE_PATH && json->depth == 1);
}

/* Is this string a URL, although only a path? */
static bool is_path_url(const struct json *json, struct view raw) {
    if (json->mode == JSON_URLS) return true;
    if (json->is_key) return false;
    switch (json->mode) {
    case JSON_MANIFEST: return json->key == MANIFEST_URL || json->key == URL;
    case JSON_ESCAPED: return url_found_is_escaped(raw);
    case JSON_PATHS: return is_path_like(raw) || is_openapi_url(json);
    default: return is_openapi_url(json);
    }
}

/* An import map says by URL what the hash of a module is, which may be rewritten: an address that is none any
 * more says nothing. */
static bool is_integrity(const struct json *json) {
    return json->mode == JSON_URLS && json->depth == 2 && (container(json) & ~OBJECT) == INTEGRITY;
}

static void say_string(struct json *json, const char *next) {
    struct view raw = view_of(json->hold.raw, json->hold.len);
    int first = first_char(raw);
    bool is_path = first == '/' || first == '\\' || first <= ' ';
    bool is_url = is_path ? first > ' ' && is_path_url(json, raw) : !json->is_key || json->mode == JSON_URLS;
    bool is_host = json->is_openapi && !json->is_key && json->key == HOST && json->depth == 1;
    bool is_base = !is_path || (is_openapi_url(json) && json->mode != JSON_MANIFEST);
    json->hold.len = 0;
    json->holds = false;
    json->mark = next;
    if (json->is_key) on_key(json, raw);
    if (!raw.len) return;
    if (is_url && !is_integrity(json))
        json->found.on_url(json->found.ctx, raw, is_host ? URL_HOST : is_base ? URL_BASE : URL_WHOLE);
    else
        json->found.on_text(json->found.ctx, raw);
}

static void hold(struct json *json, const char *at) {
    if (json->holds && !url_hold_add(&json->hold, *at)) say_string(json, at);
}

static void on_open(struct json *json, char byte) {
    /* What is in an array is the value of the array's member. */
    bool in_array = json->depth && !(container(json) & OBJECT);
    unsigned char key = in_array ? container(json) : json->key;
    if (json->depth < JSON_DEPTH_MAX)
        json->within[json->depth] = (unsigned char)(key | (byte == '{' ? OBJECT : 0));
    json->depth++;
    json->key = OTHER;
    json->expects_key = byte == '{';
}

static void on_base(struct json *json, const char *at) {
    switch (*at) {
    case '{':
    case '[': on_open(json, *at); break;
    case '}':
    case ']':
        if (json->depth) json->depth--;
        json->expects_key = false;
        json->key = OTHER;
        break;
    case ',': json->expects_key = (container(json) & OBJECT) != 0; break;
    case ':': json->expects_key = false; break;
    case '"':
        json->state = STRING;
        json->is_key = json->expects_key;
        json->holds = true;
        say_text(json, at + 1);
        break;
    default: break;
    }
}

static void on_string(struct json *json, const char *at) {
    if (json->state == STRING_ESCAPE) {
        json->state = STRING;
    } else if (*at == '"') {
        if (json->holds) say_string(json, at);
        json->state = BASE;
        return;
    } else if (*at == '\\') {
        json->state = STRING_ESCAPE;
    }
    hold(json, at);
}

void json_init(struct json *json, enum json_mode mode, const struct url_found *found) {
    memset(json, 0, offsetof(struct json, within));
    json->found = *found;
    json->mode = mode;
    json->is_openapi = mode == JSON_API;
    json->hold.len = 0;
}

void json_feed(struct json *json, struct view bytes) {
    const char *end = bytes.ptr + bytes.len;
    json->mark = bytes.ptr;
    for (const char *at = bytes.ptr; at < end; at++) {
        if (json->state == BASE)
            on_base(json, at);
        else
            on_string(json, at);
    }
    if (!json->holds) say_text(json, end);
    json->mark = NULL;
}

void json_end(struct json *json) {
    struct view raw = view_of(json->hold.raw, json->hold.len);
    json->hold.len = 0;
    if (json->holds && raw.len) json->found.on_text(json->found.ctx, raw);
    json->holds = false;
    json->state = BASE;
}
