/* TCP. The struct lives until libuv lets go of its handle; an owner that has let go of it hears nothing more.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/platform.h"
#include "net/pacing.h"
#include "net/sockaddr.h"
#include "net/wire_state.h"

#define UNSENT_BYTES (256 * 1024) /* in the kernel: what waits there, streams cannot overtake */
#define LOOK_READS 16
#define MOVED_BYTES 4096

/* ---- the end ---- */

static void on_closed(uv_handle_t *handle) {
    struct wire *wire = handle->data;
    buf_done(&wire->flying);
    buf_done(&wire->out);
    free(wire);
}

static void forget_proxy(struct wire *wire) {
    if (wire->shake) proxy_shake_done(wire->shake);
    free(wire->shake);
    wire->shake = NULL;
}

void wire_free(struct wire *wire) {
    if (!wire || wire->is_closed) return;
    wire->is_closed = true;
    forget_proxy(wire);
    task_cancel(&wire->failing);
    wire_tls_end(wire);
    uv_close((uv_handle_t *)&wire->tcp, on_closed);
}

void wire_fail(struct wire *wire, enum wire_failure failure, int error, const char *reason) {
    struct wire_end end = {failure, error, reason};
    uv_read_stop((uv_stream_t *)&wire->tcp);
    wire->is_broken = true;
    wire->events.on_end(wire->ctx, &end);
}

static void on_failing(struct task *task) {
    struct wire *wire = LIST_ENTRY(task, struct wire, failing);
    wire_fail(wire, wire->end.failure, wire->end.error, NULL);
}

static void fail_soon(struct wire *wire, enum wire_failure failure, int error) {
    wire->is_broken = true;
    wire->end = (struct wire_end){failure, error, NULL};
    tasks_post(&wire->loop->tasks, &wire->failing);
}

/* ---- out ---- */

static void fly(struct wire *wire);

static void on_written(uv_write_t *write, int error) {
    struct wire *wire = write->data;
    wire->is_flying = false;
    buf_clear(&wire->flying);
    if (wire->is_closed) return;
    if (error) {
        wire->is_broken = true;
        return;
    }
    if (wire->out.len)
        fly(wire);
    else
        wire->events.on_drained(wire->ctx);
}

static void fly(struct wire *wire) {
    struct buf empty = wire->flying;
    wire->flying = wire->out;
    wire->out = empty;
    struct view bytes = buf_view(&wire->flying);
    uv_buf_t piece = uv_buf_init((char *)(uintptr_t)bytes.ptr, (unsigned)bytes.len);
    wire->is_flying = uv_write(&wire->write, (uv_stream_t *)&wire->tcp, &piece, 1, on_written) == 0;
    if (!wire->is_flying) wire->is_broken = true;
}

void wire_send(struct wire *wire, struct view bytes) {
    if (wire->is_broken || wire->is_closed || bytes.len == 0) return;
    wire->sent += bytes.len;
    if (!wire->is_flying) {
        uv_buf_t piece = uv_buf_init((char *)(uintptr_t)bytes.ptr, (unsigned)bytes.len);
        int taken = uv_try_write((uv_stream_t *)&wire->tcp, &piece, 1);
        if (taken < 0 && taken != UV_EAGAIN) {
            wire->is_broken = true;
            return;
        }
        bytes = view_skip(bytes, taken > 0 ? (size_t)taken : 0);
        if (bytes.len == 0) return;
    }
    if (!buf_append_view(&wire->out, bytes))
        fail_soon(wire, WIRE_CUT, UV_ENOBUFS);
    else if (!wire->is_flying)
        fly(wire);
}

void wire_write(struct wire *wire, struct view bytes) {
    if (wire->tls)
        wire_tls_write(wire, bytes);
    else
        wire_send(wire, bytes);
}

bool wire_is_full(const struct wire *wire) {
    return wire->is_flying || wire->is_broken;
}

static uint64_t gone_bytes(const struct wire *wire) {
    uint64_t here = wire->out.len + uv_stream_get_write_queue_size((const uv_stream_t *)&wire->tcp);
    uv_os_fd_t fd;
    if (uv_fileno((const uv_handle_t *)&wire->tcp, &fd) == 0)
        here += platform_unacked_bytes((int)(intptr_t)fd);
    return wire->sent > here ? wire->sent - here : 0;
}

uint64_t wire_moved_ms(struct wire *wire) {
    uint64_t gone = wire->is_closed ? wire->moved : gone_bytes(wire);
    if (gone >= wire->moved + MOVED_BYTES) {
        wire->moved = gone;
        wire->moved_ms = loop_now(wire->loop);
    }
    return wire->moved_ms;
}

/* Who may still bind to an address, has it. */
bool wire_is_stranded(const struct wire *wire) {
    struct sockaddr_storage own;
    int len = sizeof(own);
    if (!wire->is_reading || uv_tcp_getsockname(&wire->tcp, (struct sockaddr *)&own, &len) != 0) return false;
    int fd = platform_socket(own.ss_family, SOCK_DGRAM, true);
    sockaddr_set_port(&own, 0);
    bool is_gone =
        fd >= 0 && bind(fd, (struct sockaddr *)&own, (socklen_t)len) != 0 && errno == EADDRNOTAVAIL;
    if (fd >= 0) platform_close_socket(fd);
    return is_gone;
}

/* ---- in ---- */

static size_t wanted(const struct wire *wire) {
    const struct wire_intake *intake = wire->events.intake;
    if (!intake || !intake->taker->share) return WIRE_READ_BYTES;
    size_t bytes = intake->takes(intake->ctx);
    return bytes < WIRE_READ_BYTES ? bytes : WIRE_READ_BYTES;
}

static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *ret_room) {
    struct wire *wire = handle->data;
    (void)suggested;
    *ret_room = uv_buf_init(wire->read_bytes, (unsigned)wanted(wire));
}

static void take_bytes(struct wire *wire, struct view bytes) {
    if (wire->tls)
        wire_tls_receive(wire, bytes);
    else
        wire->events.on_bytes(wire->ctx, bytes);
}

/* TCP is there, and a proxy's way. */
static void begin(struct wire *wire) {
    if (wire->context && !wire_tls_begin(wire)) {
        wire_fail(wire, WIRE_UNREACHABLE, UV_ENOMEM, NULL);
        return;
    }
    wire->events.on_connected(wire->ctx);
    if (wire->is_closed) return;
    if (wire->tls) {
        wire_tls_receive(wire, (struct view){0});
        return;
    }
    wire->is_up = true;
    wire->events.on_up(wire->ctx);
}

static void fail_proxy(struct wire *wire, const char *why) {
    snprintf(wire->reason, sizeof(wire->reason), "%s", why);
    forget_proxy(wire);
    wire_fail(wire, WIRE_PROXY, 0, wire->reason);
}

/* The proxy answers. What stands behind its answer is the other end's. */
static void take_of_proxy(struct wire *wire, struct view bytes) {
    struct buf out;
    struct view rest;
    buf_init(&out, PROXY_ANSWER_MAX);
    enum proxy_shake_result result = proxy_shake_take(wire->shake, bytes, &out, &rest);
    wire_send(wire, buf_view(&out));
    buf_done(&out);
    if (result == PROXY_SHAKE_FAILED) fail_proxy(wire, wire->shake->why);
    if (result != PROXY_SHAKE_DONE) return;
    struct proxy_shake *shake = wire->shake;
    wire->shake = NULL;
    begin(wire);
    if (rest.len && !wire->is_closed && !wire->is_broken) take_bytes(wire, rest);
    proxy_shake_done(shake);
    free(shake);
}

static void fail_reading(struct wire *wire, int error) {
    if (wire->shake) {
        char why[160];
        snprintf(why, sizeof(why), "the proxy %.100s closes the connection", wire->way->proxy->shown);
        fail_proxy(wire, why);
        return;
    }
    bool shakes = wire->tls && !wire->is_up;
    wire_fail(wire, shakes ? WIRE_TLS : WIRE_CUT, error == UV_EOF ? 0 : error,
              shakes ? "the connection was closed within the handshake" : NULL);
}

/* `len` of them, or an error of libuv. */
static void take(struct wire *wire, ssize_t len) {
    wire->is_telling = true;
    struct view bytes = view_of(wire->read_bytes, len > 0 ? (size_t)len : 0);
    if (len < 0)
        fail_reading(wire, (int)len);
    else if (wire->shake)
        take_of_proxy(wire, bytes);
    else
        take_bytes(wire, bytes);
    wire->is_telling = false;
}

static void on_read(uv_stream_t *stream, ssize_t len, const uv_buf_t *room) {
    struct wire *wire = stream->data;
    bool is_put_off = len == UV_ENOBUFS && room->len == 0; /* by on_room() */
    if (!wire->is_closed && len != 0 && !is_put_off) take(wire, len);
}

/* Past libuv, which then finds nothing more to read. Bounded: one that never ceases to send must not keep us.
 */
void wire_look(struct wire *wire) {
    uv_os_fd_t fd;
    for (int reads = 0; reads < LOOK_READS; reads++) {
        if (!wire->is_reading || wire->is_telling || wire->is_closed || wire->is_broken) return;
        if (uv_fileno((const uv_handle_t *)&wire->tcp, &fd) != 0) return;
        ssize_t len = platform_recv_now((int)(intptr_t)fd, wire->read_bytes, sizeof(wire->read_bytes));
        if (len < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) return;
        take(wire, len > 0 ? len : len == 0 ? UV_EOF : uv_translate_sys_error(errno));
    }
}

/* ---- connecting ---- */

static void limit_unsent(const uv_tcp_t *tcp) {
#ifdef TCP_NOTSENT_LOWAT
    int bytes = UNSENT_BYTES;
    uv_os_fd_t fd;
    if (uv_fileno((const uv_handle_t *)tcp, &fd) == 0)
        setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &bytes, sizeof(bytes));
#else
    (void)tcp;
#endif
}

/* 0, or an error of libuv. */
static int ask_proxy(struct wire *wire) {
    struct buf out;
    buf_init(&out, PROXY_ANSWER_MAX);
    wire->shake = calloc(1, sizeof(*wire->shake));
    bool good = wire->shake &&
                proxy_shake_init(wire->shake, wire->way->proxy, wire->way->host, wire->way->port, &out);
    if (good) wire_send(wire, buf_view(&out));
    buf_done(&out);
    return good ? 0 : UV_ENOMEM;
}

static void on_connect(uv_connect_t *connect, int error) {
    struct wire *wire = connect->data;
    if (wire->is_closed) return;
    if (!error) error = uv_read_start((uv_stream_t *)&wire->tcp, on_room, on_read);
    wire->is_reading = !error;
    if (!error && wire->way) error = ask_proxy(wire);
    if (error) {
        wire_fail(wire, WIRE_UNREACHABLE, error, NULL);
        return;
    }
    uv_tcp_nodelay(&wire->tcp, 1);
    limit_unsent(&wire->tcp);
    if (!wire->way) begin(wire);
}

/* 0, or an error of libuv. The handle is there in any case. */
static int open_socket(struct wire *wire, const struct sockaddr *address) {
    uv_os_fd_t fd;
    int error = uv_tcp_init_ex(&wire->loop->uv, &wire->tcp, address->sa_family);
    if (error)
        uv_tcp_init(&wire->loop->uv, &wire->tcp);
    else if (uv_fileno((const uv_handle_t *)&wire->tcp, &fd) == 0)
        pacing_spare((int)(intptr_t)fd, address);
    return error;
}

struct wire *wire_open(struct loop *loop, const struct sockaddr *address, const struct wire_way *way,
                       struct wire_tls *tls, const struct wire_events *events, void *ctx) {
    struct wire *wire = malloc(sizeof(*wire)); /* not zeroed: most of it is room to read into */
    if (!wire) return NULL;
    memset(wire, 0, offsetof(struct wire, read_bytes));
    wire->loop = loop;
    wire->events = *events;
    wire->ctx = ctx;
    wire->way = way;
    wire->context = tls;
    wire->tcp.data = wire->connect.data = wire->write.data = wire;
    buf_init(&wire->out, WIRE_QUEUE_MAX);
    buf_init(&wire->flying, WIRE_QUEUE_MAX);
    task_init(&wire->failing, on_failing);
    int error = open_socket(wire, address);
    if (!error) error = uv_tcp_connect(&wire->connect, &wire->tcp, address, on_connect);
    if (error) fail_soon(wire, WIRE_UNREACHABLE, error);
    return wire;
}
