/* See admin_client.h. */
#include "admin/admin_client.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <unistd.h>

#include "admin/admin_socket.h"
#include "config/secret_file.h"

#define WAIT_SECONDS 10
#define ANSWER_BYTES_MAX ((size_t)64 * 1024 * 1024)
#define USUAL_SOCKET "/run/ttf-gateway/admin.sock" /* of the Debian package */

static bool complain(const char *what, const char *why) {
    fprintf(stderr, "ttf-gateway admin: %s%s%s\n", what, why ? ": " : "", why ? why : "");
    return false;
}

bool admin_client_init(struct admin_client *client, const struct config *config, char *token) {
    struct secret_text text;
    *client = (struct admin_client){.socket = config->admin_socket, .port = &config->admin_listen};
    if (client->socket) return true;
    if (!config->admin_token && !config->admin_token_file) {
        client->socket = USUAL_SOCKET;
        return access(USUAL_SOCKET, F_OK) == 0 ||
               complain("say where the gateway is: --admin-socket, or --admin-listen and --admin-token-file, "
                        "or --config with its file",
                        NULL);
    }
    if (!secret_load_admin(config, &text)) return false;
    memcpy(token, text.bytes, text.len);
    client->token = view_of(token, text.len);
    explicit_bzero(&text, sizeof(text));
    return true;
}

static void put_encoded(struct buf *out, struct view text) {
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                        c == '-' || c == '_' || c == '.';
        buf_printf(out, is_plain ? "%c" : "%%%02X", c);
    }
}

void admin_target_descend(struct buf *target, struct view segment) {
    buf_append_view(target, VIEW("/"));
    put_encoded(target, segment);
}

void admin_target_add(struct buf *target, const char *name, struct view value) {
    struct view so_far = buf_view(target);
    buf_printf(target, "%c%s=", view_find(so_far, '?') < so_far.len ? '&' : '?', name);
    put_encoded(target, value);
}

/* ---- the connection ---- */

static int connect_port(const struct listen_address *address) {
    bool is_here = strcmp(address->host, "loopback") == 0 || strcmp(address->host, "*") == 0;
    char port[8];
    snprintf(port, sizeof(port), "%u", address->port);
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM}, *infos = NULL;
    if (getaddrinfo(is_here ? NULL : address->host, port, &hints, &infos) != 0) return -1;
    int fd = -1;
    for (const struct addrinfo *info = infos; info && fd < 0; info = info->ai_next) {
        fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0 || connect(fd, info->ai_addr, info->ai_addrlen) == 0) continue;
        int error = errno;
        close(fd);
        fd = -1;
        errno = error;
    }
    freeaddrinfo(infos);
    return fd;
}

static bool send_request(int fd, const struct admin_client *client, const char *method, struct view target) {
    struct buf request;
    buf_init(&request, 16384);
    buf_printf(&request, "%s %.*s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n", method,
               VIEW_ARG(target));
    if (client->token.len) buf_printf(&request, "Authorization: Bearer %.*s\r\n", VIEW_ARG(client->token));
    buf_append_view(&request, VIEW("\r\n"));
    struct view bytes = buf_view(&request);
    bool sent = !request.failed && send(fd, bytes.ptr, bytes.len, MSG_NOSIGNAL) == (ssize_t)bytes.len;
    explicit_bzero((char *)(uintptr_t)bytes.ptr, bytes.len);
    buf_done(&request);
    return sent;
}

static bool read_answer(int fd, struct buf *answer) {
    ssize_t len = 1;
    for (char *room; len > 0 && (room = buf_reserve(answer, 65536));) {
        len = recv(fd, room, 65536, 0);
        if (len > 0) buf_commit(answer, (size_t)len);
    }
    return len == 0 && !answer->failed;
}

/* The body of an answer that ends with its connection: what came behind the head. */
static json_t *read_body(struct view answer) {
    const char *end = answer.len ? memmem(answer.ptr, answer.len, "\r\n\r\n", 4) : NULL;
    if (!end) return NULL;
    struct view body = view_skip(answer, (size_t)(end - answer.ptr) + 4);
    return json_loadb(body.ptr, body.len, JSON_REJECT_DUPLICATES, NULL);
}

static void complain_unless(bool is_quiet, const char *what, const char *why) {
    if (!is_quiet) complain(what, why);
}

static json_t *understand(struct view answer, bool is_quiet) {
    bool is_fine = view_starts_with(answer, VIEW("HTTP/1.1 200 "));
    json_t *body = read_body(answer);
    if (json_is_object(body) && is_fine) return body;
    const char *error = json_string_value(json_object_get(body, "error"));
    complain_unless(is_quiet, error ? error : "the answer is none of a gateway's", NULL);
    json_decref(body);
    return NULL;
}

json_t *admin_client_ask(const struct admin_client *client, const char *method, struct view target) {
    int fd = client->socket ? admin_socket_connect(client->socket) : connect_port(client->port);
    if (fd < 0) {
        complain_unless(client->is_quiet, client->socket ? client->socket : "the admin port",
                        strerror(errno));
        return NULL;
    }
    struct timeval limit = {.tv_sec = WAIT_SECONDS};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    struct buf answer;
    buf_init(&answer, ANSWER_BYTES_MAX);
    json_t *body = NULL;
    if (send_request(fd, client, method, target) && read_answer(fd, &answer))
        body = understand(buf_view(&answer), client->is_quiet);
    else
        complain_unless(client->is_quiet, "no answer came", NULL);
    close(fd);
    buf_done(&answer);
    return body;
}
