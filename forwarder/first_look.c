/* See first_look.h. The system's table is asked first; where it knows of no listener there may still be one
 * (what Docker publishes without a proxy is in no table), and only a connection that is refused by each
 * address says that there is none. */
#include "first_look.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "listeners.h"

#define ADDRESSES_MAX 2

/* One address that is being tried. It outlives the look until libuv has let go of it. */
struct probe {
    uv_tcp_t tcp;
    uv_connect_t request;
    struct first_look *look; /* NULL: nobody wants to know any more, and it is being closed */
};

struct first_look {
    struct loop *loop;
    struct service_state *state;
    const char *unix_path; /* NULL: a port */
    uint16_t port;
    struct sockaddr_storage addresses[ADDRESSES_MAX];
    size_t count, at; /* `at`: which is tried */
    struct probe *probe;
    struct timer timer;
    bool has_said; /* that it is not there */
};

static void try_next(struct first_look *look);

static void settle(struct first_look *look, const char *fault) {
    if (!fault) {
        if (look->has_said) service_state_checked(look->state, NULL);
        return;
    }
    if (!look->has_said) service_state_checked(look->state, fault);
    look->has_said = true;
    timer_start(&look->loop->timers, &look->timer, FIRST_LOOK_AGAIN_MS);
}

/* ---- a port ---- */

static void on_closed(uv_handle_t *handle) {
    free(handle->data);
}

/* What is refused for another reason than that nobody listens tells nothing. */
static void on_tried(struct first_look *look, int error) {
    bool is_nobody = error == UV_ECONNREFUSED || error == UV_EADDRNOTAVAIL || error == UV_ENETUNREACH ||
                     error == UV_EAFNOSUPPORT;
    if (!is_nobody)
        settle(look, NULL);
    else if (++look->at < look->count)
        try_next(look);
    else
        settle(look, "nothing listens there yet; visitors get 503 until you start it");
}

static void on_connect(uv_connect_t *request, int error) {
    struct probe *probe = request->data;
    struct first_look *look = probe->look;
    if (!look) return; /* it is being closed */
    uv_close((uv_handle_t *)&probe->tcp, on_closed);
    look->probe = NULL;
    on_tried(look, error);
}

static void try_next(struct first_look *look) {
    struct probe *probe = calloc(1, sizeof(*probe));
    if (!probe || uv_tcp_init(&look->loop->uv, &probe->tcp)) {
        free(probe);
        return;
    }
    probe->tcp.data = probe->request.data = probe;
    int error = uv_tcp_connect(&probe->request, &probe->tcp,
                               (const struct sockaddr *)&look->addresses[look->at], on_connect);
    if (!error) {
        probe->look = look;
        look->probe = probe;
        return;
    }
    uv_close((uv_handle_t *)&probe->tcp, on_closed);
    on_tried(look, error);
}

/* ---- the look ---- */

static void look_at_file(struct first_look *look) {
    bool is_missing = access(look->unix_path, F_OK) != 0 && errno == ENOENT;
    settle(look, is_missing ? "there is no such socket yet; visitors get 503 until you start it" : NULL);
}

static void on_timer(struct timer *timer) {
    struct first_look *look = LIST_ENTRY(timer, struct first_look, timer);
    if (look->has_said && !look->state->is_down) return; /* a request was answered */
    look->at = 0;
    if (look->unix_path)
        look_at_file(look);
    else if (listeners_have(look->port))
        settle(look, NULL);
    else
        try_next(look);
}

/* ---- the module ---- */

static void add_address(struct first_look *look, const char *text) {
    struct sockaddr_storage *address = &look->addresses[look->count];
    if (uv_ip4_addr(text, look->port, (struct sockaddr_in *)address) == 0 ||
        uv_ip6_addr(text, look->port, (struct sockaddr_in6 *)address) == 0)
        look->count++;
}

/* Those of this machine that need no looking up. */
static void find_addresses(struct first_look *look, const char *host) {
    bool is_loopback = strncmp(host, "127.", 4) == 0 || strcmp(host, "::1") == 0;
    if (strcmp(host, "localhost") == 0) {
        add_address(look, "127.0.0.1");
        add_address(look, "::1");
    } else if (is_loopback) {
        add_address(look, host);
    }
}

struct first_look *first_look_new(struct loop *loop, const struct local_target *target,
                                  struct service_state *state) {
    struct first_look *look = target->dialler.dial ? NULL : calloc(1, sizeof(*look));
    if (!look) return NULL;
    *look = (struct first_look){.loop = loop, .state = state, .port = target->port};
    timer_init(&look->timer, on_timer);
    look->unix_path = target->unix_path;
    if (!look->unix_path) find_addresses(look, target->host);
    if (look->unix_path || look->count) return look;
    free(look);
    return NULL;
}

void first_look_start(struct first_look *look) {
    if (look) timer_start(&look->loop->timers, &look->timer, 0);
}

void first_look_free(struct first_look *look) {
    if (!look) return;
    timer_stop(&look->loop->timers, &look->timer);
    if (look->probe) {
        look->probe->look = NULL;
        uv_close((uv_handle_t *)&look->probe->tcp, on_closed);
    }
    free(look);
}
