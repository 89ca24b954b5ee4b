/* See route_watch.h. Windows calls back on a thread of its own, which only wakes the loop. */
#include <iphlpapi.h>
#include <winsock2.h>
#include <ws2ipdef.h>

#include "route_watch.h"

struct route_watch {
    struct loop *loop;
    void (*changed)(void *ctx);
    void *ctx;
    HANDLE addresses;
    uv_async_t wake;
    struct timer settle;
};

static void on_settled(struct timer *timer) {
    struct route_watch *watch = LIST_ENTRY(timer, struct route_watch, settle);
    watch->changed(watch->ctx);
}

static void on_wake(uv_async_t *wake) {
    struct route_watch *watch = wake->data;
    if (!timer_armed(&watch->settle)) timer_start(&watch->loop->timers, &watch->settle, ROUTE_SETTLE_MS);
}

static void WINAPI on_change(void *ctx, MIB_UNICASTIPADDRESS_ROW *row, MIB_NOTIFICATION_TYPE type) {
    struct route_watch *watch = ctx;
    (void)row, (void)type;
    uv_async_send(&watch->wake);
}

static void on_closed(uv_handle_t *handle) {
    free(handle->data);
}

struct route_watch *route_watch_new(struct loop *loop, void (*changed)(void *ctx), void *ctx) {
    struct route_watch *watch = calloc(1, sizeof(*watch));
    if (!watch) return NULL;
    *watch = (struct route_watch){.loop = loop, .changed = changed, .ctx = ctx};
    timer_init(&watch->settle, on_settled);
    if (uv_async_init(&loop->uv, &watch->wake, on_wake) != 0) {
        free(watch);
        return NULL;
    }
    watch->wake.data = watch;
    if (NotifyUnicastIpAddressChange(AF_UNSPEC, on_change, watch, FALSE, &watch->addresses) == NO_ERROR)
        return watch;
    uv_close((uv_handle_t *)&watch->wake, on_closed);
    return NULL;
}

/* Once CancelMibChangeNotify2() is back, nothing calls any more. */
void route_watch_stop(struct route_watch *watch) {
    if (!watch) return;
    CancelMibChangeNotify2(watch->addresses);
    timer_stop(&watch->loop->timers, &watch->settle);
    uv_close((uv_handle_t *)&watch->wake, on_closed);
}
