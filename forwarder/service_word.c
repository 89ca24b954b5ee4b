/* See service_word.h. */
#include "service_word.h"

static const char *const shape =
    "expected a port, host:port, http(s)://host:port, unix:/path or a folder as ./public";

static const char *const no_port = "the port is not a number from 1 to 65535";

static bool parse_port(struct view text, uint16_t *ret_port) {
    uint64_t number;
    if (!view_parse_u64(text, &number) || number < 1 || number > 65535) return false;
    *ret_port = (uint16_t)number;
    return true;
}

/* Letters, digits and what else a name or an IPv4 address has. */
static bool is_name(struct view host) {
    for (size_t i = 0; i < host.len; i++) {
        char c = host.ptr[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!letter && c != '.' && c != '-' && c != '_') return false;
    }
    return true;
}

/* host, host:port, [host]:port or :port; *ret_port stays where none is said. */
static const char *parse_authority(struct view text, struct service_word *service) {
    struct view host = text, port = {0};
    if (view_find(text, '@') < text.len) return "a service has no user and no password here";
    if (view_starts_with(text, VIEW("["))) {
        size_t end = view_find(text, ']');
        if (end == text.len || view_find(text, ':') > end) return shape;
        host = view_slice(text, 1, end);
        port = view_skip(text, end + 1);
    } else if (view_find(text, ':') < text.len) {
        host = view_slice(text, 0, view_find(text, ':'));
        port = view_skip(text, host.len);
        if (!is_name(host)) return shape;
    } else if (!is_name(host)) {
        return shape;
    }
    if (port.len && port.ptr[0] != ':') return shape;
    if (port.len && !parse_port(view_skip(port, 1), &service->port)) return no_port;
    return view_copy_to(host, service->host, sizeof(service->host)) ? NULL
                                                                    : "the host is longer than 255 bytes";
}

/* An authority, perhaps with the slash of a URL. */
static const char *parse_place(struct view rest, uint16_t port, struct service_word *service) {
    size_t slash = view_find(rest, '/');
    if (view_skip(rest, slash).len > 1)
        return "a path cannot be tunnelled: give the service's address without one";
    if (slash == 0) return shape;
    service->port = port;
    return parse_authority(view_slice(rest, 0, slash), service);
}

/* No service has a slash in it and no colon. */
static bool is_folder(const char *word) {
    static const char *const begins[] = {"/", "./", "../"};
    for (size_t i = 0; i < sizeof(begins) / sizeof(begins[0]); i++)
        if (strncmp(word, begins[i], strlen(begins[i])) == 0) return true;
    return strcmp(word, ".") == 0 || strcmp(word, "..") == 0 || (strchr(word, '/') && !strchr(word, ':'));
}

const char *service_word_parse(const char *word, struct service_word *ret_service) {
    struct view text = view_from_cstr(word);
    *ret_service = (struct service_word){.host = ""};
    if (view_starts_with(text, VIEW("unix:"))) {
        ret_service->unix_path = word + 5;
        return word[5] ? NULL : "unix: wants the path of a socket";
    }
    if (is_folder(word)) {
        ret_service->folder = word;
        return NULL;
    }
    ret_service->https = view_starts_with(text, VIEW("https://"));
    if (ret_service->https) return parse_place(view_skip(text, 8), 443, ret_service);
    if (view_starts_with(text, VIEW("http://"))) return parse_place(view_skip(text, 7), 80, ret_service);
    if (strstr(word, "://")) return shape;
    if (parse_port(text, &ret_service->port)) return NULL;
    if (text.len && strspn(word, "0123456789") == text.len) return no_port;
    const char *wrong = parse_place(text, 0, ret_service);
    return wrong || ret_service->port ? wrong : shape;
}
