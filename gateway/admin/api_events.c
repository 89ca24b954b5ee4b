/* See api_events.h. One picture for all who watch; who reads slowly misses some. */
#include "admin/api_events.h"

#include <stdlib.h>

#define EACH_MS 1000
#define WATCHERS_MAX 16
#define BUSIEST 100
#define PICTURE_BYTES_MAX ((size_t)4 * 1024 * 1024)
#define BLOCK_BYTES ((size_t)32 * 1024)

struct api_events {
    struct api *api;
    struct list watchers;
    size_t count;
    struct timer timer;
    bool is_asking, is_stopped;
    struct buf next, picture; /* being made; the last one that is whole */
    uint64_t version;         /* of the picture; 0: there is none yet */
};

struct watcher {
    struct list node;
    struct api_events *events;
    struct MHD_Connection *connection;
    bool is_suspended;
    uint64_t seen;
    char *text; /* a picture that is being read */
    size_t len, at;
};

/* ---- the picture ---- */

static void wake_all(struct api_events *events) {
    for (struct list *node = events->watchers.next; node != &events->watchers; node = node->next) {
        struct watcher *watcher = LIST_ENTRY(node, struct watcher, node);
        if (!watcher->is_suspended) continue;
        watcher->is_suspended = false;
        MHD_resume_connection(watcher->connection);
    }
    mhd_loop_kick(&events->api->settings.admin->mhd);
}

static void put_rows(struct buf *out, const char *name, const struct control_result *result) {
    buf_printf(out, "\"%s\":[", name);
    if (result->status == STATUS_OK) buf_append_view(out, result->rows);
    buf_append_byte(out, ']');
}

static void on_busiest(void *ctx, const struct control_result *result) {
    struct api_events *events = ctx;
    put_rows(&events->next, "tunnels", result);
    buf_append_view(&events->next, VIEW("}\n\n"));
    events->is_asking = false;
    if (events->next.failed || events->is_stopped) return;
    buf_clear(&events->picture);
    buf_append_view(&events->picture, buf_view(&events->next));
    events->version++;
    wake_all(events);
}

static void on_gateways(void *ctx, const struct control_result *result) {
    struct api_events *events = ctx;
    struct control_request request = {.question = {.verb = QUESTION_BUSY, .limit = BUSIEST}};
    put_rows(&events->next, "gateways", result);
    buf_printf(&events->next, ",\"silent\":[%.*s],", VIEW_ARG(result->silent));
    control_ask(events->api->sources.control, &request, on_busiest, events);
}

static void take_picture(struct api_events *events) {
    struct control_request request = {.question = {.verb = QUESTION_GATEWAY}};
    if (events->is_asking) return;
    events->is_asking = true;
    buf_clear(&events->next);
    buf_append_view(&events->next, VIEW("data: {"));
    control_ask(events->api->sources.control, &request, on_gateways, events);
}

static void on_timer(struct timer *timer) {
    struct api_events *events = LIST_ENTRY(timer, struct api_events, timer);
    if (list_empty(&events->watchers)) return;
    take_picture(events);
    timer_start(&events->api->settings.loop->timers, timer, EACH_MS);
}

/* ---- those who watch ---- */

static bool take_text(struct watcher *watcher) {
    const struct buf *picture = &watcher->events->picture;
    free(watcher->text);
    watcher->text = malloc(picture->len + 1);
    watcher->at = watcher->len = 0;
    if (!watcher->text) return false;
    memcpy(watcher->text, buf_view(picture).ptr, picture->len);
    watcher->len = picture->len;
    watcher->seen = watcher->events->version;
    return true;
}

static ssize_t on_read(void *ctx, uint64_t position, char *out, size_t max) {
    (void)position;
    struct watcher *watcher = ctx;
    if (watcher->events->is_stopped) return MHD_CONTENT_READER_END_OF_STREAM;
    if (watcher->at == watcher->len && watcher->seen == watcher->events->version) {
        watcher->is_suspended = true;
        MHD_suspend_connection(watcher->connection);
        return 0;
    }
    if (watcher->at == watcher->len && !take_text(watcher)) return MHD_CONTENT_READER_END_WITH_ERROR;
    size_t count = watcher->len - watcher->at < max ? watcher->len - watcher->at : max;
    memcpy(out, watcher->text + watcher->at, count);
    watcher->at += count;
    return (ssize_t)count;
}

static void on_gone(void *ctx) {
    struct watcher *watcher = ctx;
    watcher->events->count--;
    list_remove(&watcher->node);
    free(watcher->text);
    free(watcher);
}

static struct watcher *watcher_new(struct api_events *events, struct MHD_Connection *connection) {
    struct watcher *watcher = calloc(1, sizeof(*watcher));
    if (!watcher) return NULL;
    watcher->events = events;
    watcher->connection = connection;
    list_init(&watcher->node);
    list_append(&events->watchers, &watcher->node);
    events->count++;
    return watcher;
}

enum MHD_Result api_watch(struct api_call *call) {
    struct api_events *events = call->api->events;
    if (events->count >= WATCHERS_MAX)
        return api_refuse(call, MHD_HTTP_SERVICE_UNAVAILABLE, "too many watch already");
    struct watcher *watcher = watcher_new(events, call->connection);
    if (!watcher) return MHD_NO;
    struct MHD_Response *response =
        MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK_BYTES, on_read, watcher, on_gone);
    if (!response) {
        on_gone(watcher);
        return MHD_NO;
    }
    if (!timer_armed(&events->timer)) on_timer(&events->timer);
    return admin_answer_response(call->connection, MHD_HTTP_OK, "text/event-stream", response, NULL);
}

/* ---- the module ---- */

struct api_events *api_events_new(struct api *api) {
    struct api_events *events = calloc(1, sizeof(*events));
    if (!events) return NULL;
    events->api = api;
    list_init(&events->watchers);
    timer_init(&events->timer, on_timer);
    buf_init(&events->next, PICTURE_BYTES_MAX);
    buf_init(&events->picture, PICTURE_BYTES_MAX);
    return events;
}

void api_events_stop(struct api_events *events) {
    if (!events) return;
    events->is_stopped = true;
    timer_stop(&events->api->settings.loop->timers, &events->timer);
    wake_all(events);
}

void api_events_free(struct api_events *events) {
    if (!events) return;
    buf_done(&events->next);
    buf_done(&events->picture);
    free(events);
}
