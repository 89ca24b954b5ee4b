/* see porch.h. */
#include "sockets/porch.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "metrics/metrics.h"
#include "sockets/proxy_header.h"
#include "sockets/tls.h"

#define AGAIN_MS 200 /* a certificate is on its way */

struct guest {
    struct list node;
    struct porch *porch;
    struct conn conn;
    struct client *client;
    struct sockaddr_storage address;
    socklen_t len;
    uv_poll_t *poll; /* freed by itself, when it is closed */
    struct timer deadline, again;
    size_t header_len; /* of what came of a header */
    bool awaits_header;
    char header[PROXY_HEADER_MAX];
};

static void on_poll(uv_poll_t *poll, int status, int events);

/* ---- its end ---- */

static void on_poll_closed(uv_handle_t *handle) {
    free(handle);
}

static void stop_poll(struct guest *guest) {
    if (!guest->poll) return;
    guest->poll->data = NULL;
    uv_poll_stop(guest->poll);
    uv_close((uv_handle_t *)guest->poll, on_poll_closed);
    guest->poll = NULL;
}

static void leave(struct guest *guest) {
    stop_poll(guest);
    timer_stop(&guest->porch->settings.loop->timers, &guest->deadline);
    timer_stop(&guest->porch->settings.loop->timers, &guest->again);
    list_remove(&guest->node);
    guest->porch->count--;
}

static void cut(struct guest *guest) {
    leave(guest);
    conn_close(&guest->conn);
    if (guest->client) client_release(guest->client);
    free(guest);
}

static void refuse(struct guest *guest, const char *what, const char *why) {
    if (guest->conn.tls) metrics_add(METRIC_TLS_HANDSHAKES, METRIC_RESULT_FAILED, 1);
    const char *from = guest->client ? guest->client->text : "?";
    log_from(LOG_LEVEL_DEBUG, "porch", view_from_cstr(from), "%s: %s", what, why);
    cut(guest);
}

static void let_through(struct guest *guest) {
    const struct porch_settings *settings = &guest->porch->settings;
    leave(guest);
    settings->through(settings->ctx, &guest->conn, guest->client, (struct sockaddr *)&guest->address,
                      guest->len);
    free(guest);
}

static void on_deadline(struct timer *timer) {
    struct guest *guest = LIST_ENTRY(timer, struct guest, deadline);
    refuse(guest, guest->awaits_header ? "no PROXY header" : "no TLS handshake", "not in time");
}

/* ---- polling ---- */

static void await(struct guest *guest, int events) {
    uv_poll_start(guest->poll, events, on_poll);
}

static bool start_poll(struct guest *guest) {
    guest->poll = malloc(sizeof(*guest->poll));
    if (!guest->poll) return false;
    if (uv_poll_init(&guest->porch->settings.loop->uv, guest->poll, guest->conn.fd) != 0) {
        free(guest->poll);
        guest->poll = NULL;
        return false;
    }
    guest->poll->data = guest;
    return true;
}

/* ---- the proxy's word ---- */

/* From now on it counts as the one that it is. False: that one has too many, or comes too often. */
static bool count_as(struct guest *guest, const struct proxy_header *header) {
    if (!header->has_address) return true;
    client_release(guest->client); /* first: so nobody is spared for it, which might be this one */
    guest->address = header->address;
    guest->len = header->address_len;
    guest->client = clients_take(guest->porch->settings.clients, (const struct sockaddr *)&guest->address);
    return guest->client;
}

/* What has come of the header, and nothing of what stands behind it. -1: no more for now, or cut. */
static int read_header(struct guest *guest) {
    struct proxy_header header;
    char *end = guest->header + guest->header_len;
    ssize_t len =
        recv(guest->conn.fd, end, sizeof(guest->header) - guest->header_len, MSG_PEEK | MSG_DONTWAIT);
    if (len < 0 && (errno == EAGAIN || errno == EINTR)) return -1;
    size_t here = len > 0 ? guest->header_len + (size_t)len : 0;
    enum proxy_header_step step =
        here ? proxy_header_parse(view_of(guest->header, here), &header) : PROXY_HEADER_BAD;
    if (step != PROXY_HEADER_BAD) {
        size_t take = (step == PROXY_HEADER_DONE ? header.len : here) - guest->header_len;
        if (recv(guest->conn.fd, end, take, MSG_DONTWAIT) != (ssize_t)take) step = PROXY_HEADER_BAD;
        guest->header_len += take;
    }
    if (step == PROXY_HEADER_MORE) return -1;
    if (step == PROXY_HEADER_DONE && count_as(guest, &header)) return 0;
    refuse(guest, "no PROXY header", here ? "it is none, or its client has too many connections" : "it left");
    return -1;
}

/* ---- one step ---- */

static bool begin_tls(struct guest *guest) {
    struct tls_server *server = guest->porch->settings.tls;
    if (!server || guest->conn.tls) return true;
    guest->conn.tls = tls_new(server, guest->conn.fd);
    return guest->conn.tls;
}

/* For people who forgot an s. */
static void say_https(const struct guest *guest) {
    static const char text[] = "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n"
                               "Content-Length: 64\r\nConnection: close\r\n\r\n"
                               "This port speaks TLS: https:// for browsers, wss:// for agents.\n";
    (void)!send(guest->conn.fd, text, sizeof(text) - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
    shutdown(guest->conn.fd, SHUT_WR);
}

/* Whether he is still there is seen then. */
static void wait_a_while(struct guest *guest) {
    uv_poll_stop(guest->poll);
    timer_start(&guest->porch->settings.loop->timers, &guest->again, AGAIN_MS);
}

static void go_on(struct guest *guest) {
    if (guest->awaits_header) {
        if (read_header(guest) != 0) return;
        guest->awaits_header = false;
    }
    if (!begin_tls(guest)) {
        refuse(guest, "no TLS", "out of memory");
        return;
    }
    enum tls_shake step = guest->conn.tls ? tls_shake(guest->conn.tls) : TLS_DONE;
    switch (step) {
    case TLS_DONE:
        if (guest->conn.tls) metrics_add(METRIC_TLS_HANDSHAKES, METRIC_RESULT_OK, 1);
        guest->conn.holds = guest->conn.tls != NULL; /* behind the handshake something may have come */
        if (guest->conn.tls && tls_is_over(guest->conn.tls))
            cut(guest);
        else
            let_through(guest);
        break;
    case TLS_WANTS_READ: await(guest, UV_READABLE); break;
    case TLS_WANTS_WRITE: await(guest, UV_WRITABLE); break;
    case TLS_WANTS_TIME: wait_a_while(guest); break;
    case TLS_FAILED:
        if (tls_was_http()) say_https(guest);
        refuse(guest, "no TLS handshake", tls_why(guest->conn.tls));
        break;
    }
}

static void on_again(struct timer *timer) {
    go_on(LIST_ENTRY(timer, struct guest, again));
}

static void on_poll(uv_poll_t *poll, int status, int events) {
    struct guest *guest = poll->data;
    (void)events;
    if (!guest) return;
    if (status < 0)
        cut(guest);
    else
        go_on(guest);
}

/* ---- the porch ---- */

void porch_init(struct porch *porch, const struct porch_settings *settings) {
    *porch = (struct porch){.settings = *settings};
    list_init(&porch->guests);
}

static struct guest *guest_new(struct porch *porch, int fd, struct client *client,
                               const struct sockaddr *address, socklen_t len) {
    struct guest *guest = calloc(1, sizeof(*guest));
    if (!guest) return NULL;
    guest->porch = porch;
    guest->conn = conn_plain(fd);
    guest->client = client;
    guest->len = len;
    memcpy(&guest->address, address, len);
    timer_init(&guest->deadline, on_deadline);
    timer_init(&guest->again, on_again);
    guest->conn.is_ours = true;
    list_append(&porch->guests, &guest->node);
    porch->count++;
    guest->awaits_header = porch->settings.has_header && client->is_proxy;
    return guest;
}

void porch_accept(void *ctx, int fd, struct client *client, const struct sockaddr *address, socklen_t len) {
    struct porch *porch = ctx;
    const struct porch_settings *settings = &porch->settings;
    struct conn conn = conn_plain(fd);
    if (!settings->tls && !(settings->has_header && client->is_proxy)) {
        settings->through(settings->ctx, &conn, client, address, len);
        return;
    }
    struct guest *guest = guest_new(porch, fd, client, address, len);
    if (!guest) {
        close(fd);
        client_release(client);
        return;
    }
    bool stands =
        start_poll(guest) && timer_start(&settings->loop->timers, &guest->deadline, settings->timeout_ms);
    if (stands)
        await(guest, UV_READABLE);
    else
        cut(guest);
}

bool porch_spare(struct porch *porch) {
    if (list_empty(&porch->guests)) return false;
    cut(LIST_ENTRY(porch->guests.next, struct guest, node));
    return true;
}

void porch_stop(struct porch *porch) {
    while (porch->settings.loop && porch_spare(porch)) continue;
}
