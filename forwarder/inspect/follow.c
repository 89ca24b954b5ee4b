/* Pages that wait for news, by server-sent events: each event says that there is something new, and the page
 * asks what it shows. So a thousand requests a second cost a page four looks. A connection is suspended while
 * there is nothing to say. */
#include <stdlib.h>

#include "inspect/inspect_state.h"

#define NEWS_MS 250u
#define PING_MS 15000u /* also how a page that has gone is noticed */
#define FOLLOWERS_MAX 16

struct follower {
    struct list node;
    struct inspect *inspect;
    struct MHD_Connection *connection;
    uint64_t told; /* store.changes when it was last told */
    uint64_t told_ms;
    bool is_suspended;
};

static size_t count(const struct inspect *inspect) {
    size_t found = 0;
    for (const struct list *node = inspect->followers.next; node != &inspect->followers; node = node->next)
        found++;
    return found;
}

static ssize_t on_read(void *ctx, uint64_t position, char *out, size_t room) {
    struct follower *follower = ctx;
    struct inspect *inspect = follower->inspect;
    uint64_t now_ms = loop_now(inspect->loop);
    if (inspect->is_stopping) return MHD_CONTENT_READER_END_OF_STREAM;
    bool is_new = position == 0 || follower->told != inspect->store.changes;
    if (!is_new && now_ms - follower->told_ms < PING_MS) {
        MHD_suspend_connection(follower->connection);
        follower->is_suspended = true;
        return 0;
    }
    follower->told = inspect->store.changes;
    follower->told_ms = now_ms;
    int len = is_new ? snprintf(out, room, "data: %llu\n\n", (unsigned long long)follower->told)
                     : snprintf(out, room, ": nothing\n\n");
    return len > 0 && (size_t)len < room ? len : MHD_CONTENT_READER_END_WITH_ERROR;
}

static void on_free(void *ctx) {
    struct follower *follower = ctx;
    list_remove(&follower->node);
    free(follower);
}

static void resume(struct follower *follower) {
    if (!follower->is_suspended) return;
    follower->is_suspended = false;
    MHD_resume_connection(follower->connection);
    mhd_loop_kick(&follower->inspect->mhd);
}

/* Asked again, who has heard it all is suspended again. */
static void on_news(struct timer *timer) {
    struct inspect *inspect = LIST_ENTRY(timer, struct inspect, news);
    bool is_late = false;
    for (struct list *node = inspect->followers.next; node != &inspect->followers; node = node->next) {
        struct follower *follower = LIST_ENTRY(node, struct follower, node);
        if (follower->told != inspect->store.changes) is_late = true;
        resume(follower);
    }
    if (!list_empty(&inspect->followers))
        timer_start(&inspect->loop->timers, &inspect->news, is_late ? NEWS_MS : PING_MS);
}

void follow_init(struct inspect *inspect) {
    list_init(&inspect->followers);
    timer_init(&inspect->news, on_news);
}

void follow_tell(struct inspect *inspect) {
    if (list_empty(&inspect->followers)) return;
    uint64_t soon_ms = loop_now(inspect->loop) + NEWS_MS;
    if (timer_armed(&inspect->news) && inspect->news.deadline_ms <= soon_ms) return;
    timer_start(&inspect->loop->timers, &inspect->news, NEWS_MS);
}

enum MHD_Result follow_answer(struct inspect *inspect, struct MHD_Connection *connection) {
    if (inspect->is_stopping || count(inspect) >= FOLLOWERS_MAX)
        return inspect_refuse(connection, MHD_HTTP_SERVICE_UNAVAILABLE, "too many pages are open");
    struct follower *follower = calloc(1, sizeof(*follower));
    if (!follower) return MHD_NO;
    *follower = (struct follower){.inspect = inspect, .connection = connection};
    list_init(&follower->node);
    list_append(&inspect->followers, &follower->node);
    struct MHD_Response *response =
        MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 1024, on_read, follower, on_free);
    if (!response) {
        on_free(follower);
        return MHD_NO;
    }
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "text/event-stream");
    MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    enum MHD_Result queued = MHD_queue_response(connection, MHD_HTTP_OK, response);
    MHD_destroy_response(response);
    if (!timer_armed(&inspect->news)) timer_start(&inspect->loop->timers, &inspect->news, PING_MS);
    return queued;
}

void follow_stop(struct inspect *inspect) {
    timer_stop(&inspect->loop->timers, &inspect->news);
    inspect->is_stopping = true; /* of those too that only come now */
    for (struct list *node = inspect->followers.next; node != &inspect->followers; node = node->next)
        resume(LIST_ENTRY(node, struct follower, node));
}
