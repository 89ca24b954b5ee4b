/* One socket to the service: dialling (address after address), reading and writing. It is polled rather than
 * handed to a uv_stream_t: one read(2) and one write(2) make an exchange, writes need no memory that outlives
 * them, and unix sockets, TCP and TLS are the same code. */
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/platform.h"
#include "local/local_state.h"
#include "net/error_text.h"
#include "net/pacing.h"

#define READS_MAX 4       /* in a row, before others have their turn */
#define DIAL_AGAIN_MS 20u /* a unix socket whose backlog is full */

static void connect_fail(struct local_connection *connection, int error);
static void dial(struct local_connection *connection);

/* ---- the end ---- */

static void on_closed(uv_handle_t *handle) {
    struct local_connection *connection = handle->data;
    assert(connection->magic == LOCAL_CONNECTION_MAGIC);
    struct local_client *client = connection->client;
    client->closing--;
    client_connection_reuse(connection);
    if (client->freed && !client->closing) client_destroy(client);
}

void connection_close(struct local_connection *connection) {
    struct local_client *client = connection->client;
    assert(connection->stage != CONNECTION_CLOSED);
    tls_end(connection);
    connection->stage = CONNECTION_CLOSED;
    list_remove(&connection->node);
    list_remove(&connection->late_node);
    client->open--;
    if (connection->request) connection->request->connection = NULL;
    connection->request = NULL;
    int fd = connection->fd;
    connection->fd = -1;
    if (connection->polled) {
        client->closing++;
        uv_close((uv_handle_t *)&connection->poll, on_closed);
    } else {
        client_connection_reuse(connection);
    }
    if (fd >= 0) {
        platform_close_socket(fd);
        client->lacks_descriptors = false;
    }
    client_pump(client);
}

/* ---- polling ---- */

static void on_ready(uv_poll_t *poll, int error, int events);

static int wanted(const struct local_connection *connection) {
    if (connection->stage == CONNECTION_DIALS) return UV_WRITABLE;
    if (connection->stage == CONNECTION_SHAKES_HANDS)
        return connection->tls_wants_write ? UV_READABLE | UV_WRITABLE : UV_READABLE;
    bool reads = !connection->request || connection->request->reading != READS_NOT;
    bool writes = (connection->blocked && !connection->broken) || connection->tls_wants_write;
    return (reads ? UV_READABLE : 0) | (writes ? UV_WRITABLE : 0);
}

void connection_arm(struct local_connection *connection) {
    int mask = wanted(connection);
    if (mask == connection->mask || !connection->polled) return;
    connection->mask = mask;
    if (mask)
        uv_poll_start(&connection->poll, mask, on_ready);
    else
        uv_poll_stop(&connection->poll);
}

/* ---- dialling ---- */

static int open_socket(int family) {
    int on = 1, fd = platform_socket(family, SOCK_STREAM, false);
    if (fd >= 0 && family != AF_UNIX) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    return fd;
}

/* The address to be tried now. Zero when a unix path is too long. */
static socklen_t address_of(const struct local_connection *connection, struct sockaddr_storage *ret_address) {
    const struct local_client *client = connection->client;
    if (!client->unix_path) {
        *ret_address = client->addresses.list[connection->address % client->addresses.count].socket_address;
        return ret_address->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    }
    struct sockaddr_un path = {.sun_family = AF_UNIX};
    if (!view_copy_to(view_from_cstr(client->unix_path), path.sun_path, sizeof(path.sun_path))) return 0;
    memcpy(ret_address, &path, sizeof(path));
    return sizeof(path);
}

static void connection_on_up(struct local_connection *connection) {
    struct local_client *client = connection->client;
    connection->stage = CONNECTION_UP;
    client->first_address = connection->address;
    list_remove(&connection->node);
    connection_arm(connection);
    request_send(connection->request);
}

static void shake_hands(struct local_connection *connection) {
    char detail[160];
    switch (tls_shake_hands(connection)) {
    case TLS_DONE:
        connection->tls_wants_write = false;
        connection->client->answered = true;
        connection_on_up(connection);
        return;
    case TLS_WANTS_READ: connection->tls_wants_write = false; break;
    case TLS_WANTS_WRITE: connection->tls_wants_write = true; break;
    case TLS_FAILED:
        tls_error(detail, sizeof(detail));
        connection->client->clue = LOCAL_CLUE_NO_TLS;
        request_fail_soon(connection->request, LOCAL_UNAVAILABLE, detail);
        return;
    }
    connection_arm(connection);
}

static void on_connected(struct local_connection *connection) {
    if (!connection->client->tls) {
        connection_on_up(connection);
    } else if (tls_begin(connection)) {
        connection->stage = CONNECTION_SHAKES_HANDS;
        connection->attempt_deadline_ms = 0;
        shake_hands(connection);
    } else {
        request_fail_soon(connection->request, LOCAL_NO_MEMORY, "no memory for TLS");
    }
}

/* Zero, or what connect(2) and its like came to; *ret_fd is -1 where there is no socket. */
static int connect_socket(const struct local_connection *connection, int *ret_fd) {
    const struct local_dialler *dialler = &connection->client->dialler;
    struct sockaddr_storage address;
    if (dialler->dial) {
        *ret_fd = dialler->dial(dialler->ctx);
        return *ret_fd < 0 ? errno : 0;
    }
    *ret_fd = -1;
    socklen_t len = address_of(connection, &address);
    if (!len) return ENAMETOOLONG;
    *ret_fd = open_socket(address.ss_family);
    if (*ret_fd < 0) return errno;
    pacing_spare(*ret_fd, (struct sockaddr *)&address);
    return connect(*ret_fd, (struct sockaddr *)&address, len) == 0 ? 0 : errno;
}

/* Zero, or what kept it from beginning. */
static int dial_address(struct local_connection *connection) {
    int fd, error = connect_socket(connection, &fd);
    bool under_way = fd >= 0 && (error == EINPROGRESS || error == EINTR);
    if (error && !under_way) {
        if (fd >= 0) platform_close_socket(fd);
        return error;
    }
    error = -uv_poll_init_socket(&connection->client->loop->uv, &connection->poll, fd);
    if (error) {
        platform_close_socket(fd);
        return error;
    }
    connection->fd = fd;
    connection->polled = true;
    connection->poll.data = connection;
    if (under_way)
        connection_arm(connection);
    else
        on_connected(connection);
    return 0;
}

static bool lacks_descriptors(const struct local_connection *connection, int error) {
    return (error == EMFILE || error == ENFILE) && connection->client->open > 1;
}

/* The connection gives its request back to the queue, to be served when another is free. */
static void give_back(struct local_connection *connection) {
    struct local_client *client = connection->client;
    client->lacks_descriptors = true;
    list_append(client->waiting.next, &connection->request->waiting_node);
    connection_close(connection);
}

static void begin_attempt(struct local_connection *connection) {
    uint64_t now_ms = loop_now(connection->client->loop);
    uint64_t left_ms = connection->deadline_ms > now_ms ? connection->deadline_ms - now_ms : 0;
    connection->stage = CONNECTION_DIALS;
    connection->again_ms = 0;
    connection->attempt_deadline_ms = now_ms + left_ms / connection->addresses_left;
    client_want_tick(connection->client, connection->attempt_deadline_ms);
}

static void dial(struct local_connection *connection) {
    for (;;) {
        begin_attempt(connection);
        int error = dial_address(connection);
        if (!error) return; /* it may even be gone: `connection` is not touched any more */
        if (error == EAGAIN && connection->client->unix_path) {
            connection->again_ms = loop_now(connection->client->loop) + DIAL_AGAIN_MS;
            client_want_tick(connection->client, connection->again_ms);
            return;
        }
        if (lacks_descriptors(connection, error)) {
            give_back(connection);
            return;
        }
        if (connection->addresses_left <= 1) {
            connect_fail(connection, error);
            return;
        }
        connection->address++;
        connection->addresses_left--;
    }
}

static void begin_dialling(struct local_connection *connection) {
    const struct local_client *client = connection->client;
    connection->address = client->first_address;
    connection->addresses_left = client->unix_path ? 1 : client->addresses.count;
    dial(connection);
}

static struct local_connection *new_connecting(struct local_client *client, struct local_request *request) {
    struct local_connection *connection = client_connection_new(client);
    if (!connection) return NULL;
    connection->request = request;
    request->connection = connection;
    if (client->tls) memcpy(connection->tls_name, request->tls_name, sizeof(connection->tls_name));
    list_append(&client->connecting, &connection->node);
    client->open++;
    return connection;
}

static bool knows_addresses(const struct local_client *client) {
    return client->addresses_known &&
           (client->addresses_fixed || loop_now(client->loop) < client->addresses_ms + LOCAL_LOOKUP_MAX_MS);
}

void connection_open(struct local_client *client, struct local_request *request) {
    struct local_connection *connection = new_connecting(client, request);
    if (!connection) {
        request_fail_soon(request, LOCAL_NO_MEMORY, "no memory for a connection");
        return;
    }
    connection->deadline_ms = loop_now(client->loop) + client->connect_timeout_ms;
    client_want_tick(client, connection->deadline_ms);
    if (client->unix_path || knows_addresses(client))
        begin_dialling(connection);
    else
        client_lookup(client);
}

void connection_on_addresses(struct local_connection *connection, int error) {
    char detail[200];
    connection->looked_up = true;
    if (!error) {
        begin_dialling(connection);
        return;
    }
    snprintf(detail, sizeof(detail), "%.120s: %s", connection->client->host, uv_strerror(error));
    request_fail_soon(connection->request, LOCAL_UNAVAILABLE, detail);
}

/* The name may mean another machine by now: asks once more, on another connection, because this one's handle
 * needs time to close. */
static bool look_up_again(struct local_connection *connection) {
    struct local_client *client = connection->client;
    if (client->unix_path || client->addresses_fixed || connection->looked_up) return false;
    struct local_connection *next = new_connecting(client, connection->request);
    if (!next) return false;
    next->deadline_ms = connection->deadline_ms;
    connection->request = NULL;
    connection_close(connection);
    client_lookup(client);
    return true;
}

/* The address that was tried last, and that there were others: "localhost port 3000 (::1 and 1 more): ...".
 */
static void tell_where(const struct local_connection *connection, int error, char *out, size_t out_size) {
    const struct local_client *client = connection->client;
    char others[24] = "";
    if (client->unix_path) {
        snprintf(out, out_size, "%.120s: %s", client->unix_path, error_text(error));
        return;
    }
    if (client->addresses.count > 1)
        snprintf(others, sizeof(others), " and %u more", (unsigned)(client->addresses.count - 1));
    snprintf(out, out_size, "%.80s port %u (%s%s): %s", client->host, client->port,
             client->addresses.list[connection->address % client->addresses.count].text, others,
             error_text(error));
}

static void connect_fail(struct local_connection *connection, int error) {
    char detail[200];
    connection->client->addresses_known = false;
    if (look_up_again(connection)) return;
    tell_where(connection, error, detail, sizeof(detail));
    request_fail_soon(connection->request, LOCAL_UNAVAILABLE, detail);
}

/* This address has failed after a while. The next is tried on another connection, because this one's handle
 * needs time to close. */
static void dial_next(struct local_connection *connection, int error) {
    struct local_client *client = connection->client;
    struct local_request *request = connection->request;
    struct local_connection *next = connection->addresses_left > 1 ? new_connecting(client, request) : NULL;
    if (!next) {
        connect_fail(connection, error);
        return;
    }
    next->deadline_ms = connection->deadline_ms;
    next->address = connection->address + 1;
    next->addresses_left = connection->addresses_left - 1;
    next->looked_up = connection->looked_up;
    connection->request = NULL;
    connection_close(connection);
    dial(next);
}

void connection_on_deadline(struct local_connection *connection, uint64_t now_ms) {
    char detail[80];
    if (connection->deadline_ms <= now_ms) {
        snprintf(detail, sizeof(detail), "no connection within %llu ms",
                 (unsigned long long)connection->client->connect_timeout_ms);
        connection->client->addresses_known = false;
        if (connection->stage == CONNECTION_SHAKES_HANDS) connection->client->clue = LOCAL_CLUE_NO_TLS;
        request_fail_soon(connection->request, LOCAL_UNAVAILABLE, detail);
    } else if (connection->again_ms && connection->again_ms <= now_ms) {
        dial(connection);
    } else {
        connection->attempt_deadline_ms = 0;
        if (connection->addresses_left > 1) dial_next(connection, ETIMEDOUT);
    }
}

static void on_dialled(struct local_connection *connection) {
    int error = 0;
    socklen_t len = sizeof(error);
    if (getsockopt(connection->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0) error = errno;
    if (error)
        dial_next(connection, error);
    else
        on_connected(connection);
}

/* ---- exchanges ---- */

void connection_use(struct local_connection *connection, struct local_request *request) {
    assert(!connection->request && connection->stage == CONNECTION_UP);
    list_remove(&connection->node);
    connection->request = request;
    request->connection = connection;
    request_send(request);
}

void connection_release(struct local_connection *connection) {
    struct local_client *client = connection->client;
    connection->request = NULL;
    connection->used = true;
    connection->idle_since_ms = loop_now(client->loop);
    list_remove(&connection->node);
    list_append(client->idle.next, &connection->node); /* in front */
    connection_arm(connection);                        /* a pause may have ended the polling */
    client_want_tick(client, connection->idle_since_ms + LOCAL_IDLE_MAX_MS);
    client_pump(client);
}

bool connection_is_quiet(struct local_connection *connection) {
    char byte;
    if (connection->tls) return tls_is_quiet(connection);
    return recv(connection->fd, &byte, 1, MSG_PEEK) < 0 && errno == EAGAIN;
}

/* ---- writing ---- */

static size_t sum(const struct iovec *pieces, int count) {
    size_t bytes = 0;
    for (int i = 0; i < count; i++) bytes += pieces[i].iov_len;
    return bytes;
}

static ssize_t socket_write(int fd, const struct iovec *pieces, int count) {
    struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)pieces};
    message.msg_iovlen = (uint16_t)count;
    ssize_t len;
    do {
        len = count == 1 ? send(fd, pieces->iov_base, pieces->iov_len, MSG_NOSIGNAL)
                         : sendmsg(fd, &message, MSG_NOSIGNAL);
    } while (len < 0 && errno == EINTR);
    return len;
}

static bool is_for_now(int error) {
    return error == EAGAIN || error == ENOBUFS;
}

ssize_t connection_write(struct local_connection *connection, const struct iovec *pieces, int count) {
    ssize_t len =
        connection->tls ? tls_write(connection, pieces, count) : socket_write(connection->fd, pieces, count);
    if (len >= 0 && (connection->tls || (size_t)len == sum(pieces, count))) return len;
    connection->blocked = len >= 0 || is_for_now(errno);
    if (!connection->blocked) {
        connection->broken = true;
        /* The service's end, or its last words, are there to be read; make sure of it. */
        if (errno != EPIPE && errno != ECONNRESET) shutdown(connection->fd, SHUT_RDWR);
    }
    connection_arm(connection);
    return len;
}

void connection_shut_write(struct local_connection *connection) {
    if (connection->half_closed) return;
    connection->half_closed = true;
    if (connection->tls) tls_shut_write(connection);
    shutdown(connection->fd, SHUT_WR);
}

/* ---- reading ---- */

static ssize_t read_some(struct local_connection *connection) {
    struct local_client *client = connection->client;
    connection->tls_wants_write = false;
    if (connection->tls) return tls_read(connection, client->read_bytes, LOCAL_READ_BYTES);
    ssize_t len;
    do len = recv(connection->fd, client->read_bytes, LOCAL_READ_BYTES, 0);
    while (len < 0 && errno == EINTR);
    return len;
}

/* False: nothing more is to be read here now. */
static bool take(struct local_connection *connection, struct view bytes) {
    if (!connection->request) { /* nobody asked: the service says farewell, or is out of step */
        connection_close(connection);
        return false;
    }
    if (!request_take(connection, &bytes)) return false;
    if (!bytes.len || buf_append_view(&connection->held, bytes)) return true;
    request_end(connection->request, LOCAL_NO_MEMORY, "no memory for the answer", false);
    return false;
}

static bool takes_no_more(const struct local_connection *connection) {
    return connection->held.len || (connection->request && connection->request->reading == READS_NOT);
}

static bool may_read(const struct local_connection *connection, int reads) {
    return reads == 0 || (reads < READS_MAX && turn_taker_may(connection->client->taker, TURN_IN));
}

void connection_read(struct local_connection *connection) {
    bool has_read = false;
    for (int i = 0; may_read(connection, i) || tls_holds_bytes(connection); i++) {
        if (takes_no_more(connection)) break;
        ssize_t len = read_some(connection);
        if (len < 0 && errno == EAGAIN) break;
        if (len <= 0) {
            request_on_eof(connection, len < 0 ? errno : 0);
            return;
        }
        has_read = true;
        turn_taker_spend(connection->client->taker, TURN_IN, (size_t)len);
        if (!take(connection, view_of(connection->client->read_bytes, (size_t)len))) return;
        if (!connection->tls && (size_t)len < LOCAL_READ_BYTES) break;
    }
    /* Most pauses are over when the loop comes round: to stop polling now would mean to begin again at once.
     */
    bool may_wait = has_read && !connection->tls && takes_no_more(connection);
    if (!may_wait) connection_arm(connection);
}

void connection_resume(struct local_connection *connection) {
    if (connection->held.len) {
        struct buf held = connection->held;
        buf_init(&connection->held, held.max);
        struct view bytes = buf_view(&held);
        bool goes_on = request_take(connection, &bytes);
        if (goes_on) {
            buf_consume(&held, held.len - bytes.len);
            if (held.len)
                connection->held = held;
            else
                buf_done(&held);
        } else {
            buf_done(&held);
        }
        if (!goes_on) return;
    }
    if (connection->tls)
        connection_read(connection); /* OpenSSL may hold bytes that the socket does not show */
    else
        connection_arm(connection);
}

/* ---- what the loop says ---- */

static void on_up_ready(struct local_connection *connection, int events) {
    struct local_request *request = connection->request;
    if ((events & UV_WRITABLE) && connection->blocked) {
        connection->blocked = false;
        if (request) request_on_writable(request);
        if (connection->stage == CONNECTION_CLOSED) return;
        connection_arm(connection);
    }
    bool reads = (events & UV_READABLE) || connection->tls_wants_write;
    bool is_late = reads && connection->client->taker->share && client_reads_later(connection);
    if (reads && !is_late) connection_read(connection);
}

/* libuv has stopped polling when it reports an error: what it is, reading will say. */
static void on_ready(uv_poll_t *poll, int error, int events) {
    struct local_connection *connection = poll->data;
    assert(connection->magic == LOCAL_CONNECTION_MAGIC);
    struct local_client *client = connection->client;
    if (error) {
        connection->mask = 0;
        events = UV_READABLE | UV_WRITABLE;
    }
    client_enter(client);
    switch (connection->stage) {
    case CONNECTION_DIALS: on_dialled(connection); break;
    case CONNECTION_SHAKES_HANDS: shake_hands(connection); break;
    case CONNECTION_UP: on_up_ready(connection, events); break;
    case CONNECTION_NEW:
    case CONNECTION_CLOSED: break;
    }
    client_leave(client);
}
