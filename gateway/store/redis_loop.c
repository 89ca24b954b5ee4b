/* See redis_loop.h. The watch outlives the context until libuv has closed its handle. */
#include "store/redis_loop.h"

#include <stdlib.h>

struct redis_watch {
    redisAsyncContext *context; /* NULL: it has ended */
    uv_poll_t poll;
    int events;
};

/* A poll error shows in the next read or write, which hiredis then makes; both may end the context. */
static void on_poll(uv_poll_t *poll, int status, int events) {
    struct redis_watch *watch = poll->data;
    if (status < 0) events = UV_READABLE | UV_WRITABLE;
    if (watch->context && (events & UV_READABLE)) redisAsyncHandleRead(watch->context);
    if (watch->context && (events & UV_WRITABLE)) redisAsyncHandleWrite(watch->context);
}

static void set_events(struct redis_watch *watch, int events) {
    if (events == watch->events) return;
    watch->events = events;
    if (events)
        uv_poll_start(&watch->poll, events, on_poll);
    else
        uv_poll_stop(&watch->poll);
}

static void add_read(void *data) {
    struct redis_watch *watch = data;
    set_events(watch, watch->events | UV_READABLE);
}

static void del_read(void *data) {
    struct redis_watch *watch = data;
    set_events(watch, watch->events & ~UV_READABLE);
}

static void add_write(void *data) {
    struct redis_watch *watch = data;
    set_events(watch, watch->events | UV_WRITABLE);
}

static void del_write(void *data) {
    struct redis_watch *watch = data;
    set_events(watch, watch->events & ~UV_WRITABLE);
}

static void on_closed(uv_handle_t *handle) {
    free(handle->data);
}

static void cleanup(void *data) {
    struct redis_watch *watch = data;
    watch->context = NULL;
    uv_close((uv_handle_t *)&watch->poll, on_closed);
}

bool redis_loop_attach(redisAsyncContext *context, uv_loop_t *loop) {
    struct redis_watch *watch = calloc(1, sizeof(*watch));
    if (!watch) return false;
    if (uv_poll_init(loop, &watch->poll, context->c.fd) != 0) {
        free(watch);
        return false;
    }
    watch->context = context;
    watch->poll.data = watch;
    context->ev.data = watch;
    context->ev.addRead = add_read;
    context->ev.delRead = del_read;
    context->ev.addWrite = add_write;
    context->ev.delWrite = del_write;
    context->ev.cleanup = cleanup;
    return true;
}
