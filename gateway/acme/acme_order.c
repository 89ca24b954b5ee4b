/* See acme_order.h. One state; each answer, and each end of a wait, leads to the next question. */
#include "acme/acme_order.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "acme/acme_request.h"
#include "acme/acme_show.h"
#include "base/base64.h"
#include "base/log.h"

#define MOST_MS 900000 /* for all of it */
#define POLL_MIN_MS 500
#define POLL_MAX_MS 15000
#define REQUEST_MAX 4096

enum step {
    STEP_ORDER,     /* makes the order */
    STEP_LOOK,      /* asks what is wanted for one name */
    STEP_CHALLENGE, /* says that the authority may look */
    STEP_LOOKED,    /* has it? */
    STEP_READY,     /* is the order ready? */
    STEP_FINALIZE,  /* sends our request */
    STEP_SIGNED,    /* has it been signed? */
    STEP_CHAIN      /* takes the chain */
};

struct acme_order {
    struct acme_order_settings settings;
    acme_order_fn *done;
    void *ctx;
    char name[ACME_NAME_MAX + 1], wildcard[ACME_NAME_MAX + 3];
    enum step step;
    char url[ACME_URL_MAX + 1]; /* of the order */
    struct acme_order_word word;
    size_t at; /* of its authorizations */
    struct acme_authorization authorization;
    struct acme_show *show; /* what stands somewhere for the authority to see; NULL: nothing */
    EVP_PKEY *key;
    struct timer wait, deadline;
    uint64_t wait_ms;
    struct task failed; /* `why` is to be told at a safe point */
    const char *why;
};

static void ask(struct acme_order *order);

/* ---- its end ---- */

static void order_free(struct acme_order *order) {
    timer_stop(&order->settings.loop->timers, &order->wait);
    timer_stop(&order->settings.loop->timers, &order->deadline);
    task_cancel(&order->failed);
    acme_show_cancel(order->show);
    EVP_PKEY_free(order->key);
    free(order);
}

void acme_order_cancel(struct acme_order *order) {
    if (!order) return;
    acme_session_cancel(order->settings.session);
    order_free(order);
}

static void end(struct acme_order *order, const struct acme_result *result) {
    acme_session_cancel(order->settings.session);
    order->done(order->ctx, result);
    order_free(order);
}

static void fail(struct acme_order *order, const char *why) {
    const struct acme_result result = {.why = why};
    end(order, &result);
}

static void fail_for(struct acme_order *order, const struct acme_problem *problem, const char *otherwise) {
    char why[sizeof(problem->detail) + 80];
    if (problem->type[0] || problem->detail[0])
        snprintf(why, sizeof(why), "%s: %s", problem->type[0] ? problem->type : "refused", problem->detail);
    else
        snprintf(why, sizeof(why), "%s", otherwise);
    fail(order, why);
}

static void on_failed(struct task *task) {
    struct acme_order *order = LIST_ENTRY(task, struct acme_order, failed);
    fail(order, order->why);
}

static void fail_later(struct acme_order *order, const char *why) {
    order->why = why;
    tasks_post(&order->settings.loop->tasks, &order->failed);
}

static void on_deadline(struct timer *timer) {
    fail(LIST_ENTRY(timer, struct acme_order, deadline), "it took longer than 15 minutes");
}

/* ---- waiting ---- */

static void on_wait(struct timer *timer) {
    ask(LIST_ENTRY(timer, struct acme_order, wait));
}

static void ask_again(struct acme_order *order, const struct acme_reply *reply) {
    uint64_t wait_ms = order->wait_ms ? order->wait_ms * 2 : POLL_MIN_MS;
    order->wait_ms = wait_ms < POLL_MAX_MS ? wait_ms : POLL_MAX_MS;
    if (reply->retry_after_ms > order->wait_ms) wait_ms = reply->retry_after_ms;
    if (wait_ms > POLL_MAX_MS) wait_ms = POLL_MAX_MS;
    timer_start(&order->settings.loop->timers, &order->wait, wait_ms);
}

static void go(struct acme_order *order, enum step step) {
    order->step = step;
    order->wait_ms = 0;
    ask(order);
}

/* ---- one name ---- */

static void next_name(struct acme_order *order) {
    order->at++;
    go(order, order->at < order->word.count ? STEP_LOOK : STEP_READY);
}

static void on_shown(void *ctx, const char *why) {
    struct acme_order *order = ctx;
    if (why)
        fail(order, why);
    else
        go(order, STEP_CHALLENGE);
}

static void on_cleared(void *ctx, const char *why) {
    struct acme_order *order = ctx;
    if (why) log_warn("acme", "%s: what was shown for it could not be taken away: %s", order->name, why);
    order->show = NULL;
    next_name(order);
}

/* The way that was asked for, else another that the authority offers and we can go. */
static enum acme_way choose(const struct acme_order *order) {
    const struct acme_challenge *offers = order->authorization.challenges;
    enum acme_way way = order->settings.hook ? ACME_DNS : order->settings.way;
    if (order->settings.has_wildcard || offers[way].url[0]) return way;
    enum acme_way other = way == ACME_HTTP ? ACME_TLS : ACME_HTTP;
    return offers[other].url[0] ? other : way;
}

static void show(struct acme_order *order) {
    enum acme_way way = choose(order);
    const struct acme_show_settings settings = {.loop = order->settings.loop,
                                                .challenges = order->settings.challenges,
                                                .shared = order->settings.shared,
                                                .account = order->settings.account,
                                                .hook = order->settings.hook,
                                                .way = way,
                                                .name = order->authorization.name,
                                                .challenge = &order->authorization.challenges[way],
                                                .done = on_shown,
                                                .ctx = order};
    if (!order->authorization.challenges[way].url[0]) {
        fail(order, "the authority offers no way to show whose the name is that can be gone here");
        return;
    }
    order->show = acme_show_start(&settings);
    if (!order->show) fail(order, "out of memory");
}

static void looked(struct acme_order *order, const struct acme_reply *reply) {
    if (!acme_authorization_parse(reply->body, &order->authorization) ||
        strcasecmp(order->authorization.name, order->name) != 0)
        fail(order, "it asks for something that was not ordered");
    else if (order->authorization.state == ACME_VALID && order->step == STEP_LOOK)
        next_name(order);
    else if (order->authorization.state == ACME_VALID)
        acme_show_clear(order->show, on_cleared);
    else if (order->authorization.state != ACME_PENDING)
        fail_for(order, &order->authorization.problem, "it does not believe that the name is ours");
    else if (order->step == STEP_LOOK)
        show(order);
    else
        ask_again(order, reply);
}

/* ---- the order ---- */

static bool take_word(struct acme_order *order, const struct acme_reply *reply) {
    struct acme_order_word word;
    if (!acme_order_parse(reply->body, &word) || word.count > (order->settings.has_wildcard ? 2u : 1u)) {
        fail(order, "its order is none");
        return false;
    }
    order->word = word;
    if (word.state == ACME_INVALID) fail_for(order, &word.problem, "the order has failed");
    return word.state != ACME_INVALID;
}

static void ordered(struct acme_order *order, const struct acme_reply *reply) {
    if (!acme_url_is_good(reply->location) ||
        !view_copy_to(reply->location, order->url, sizeof(order->url))) {
        fail(order, "its order has no URL");
        return;
    }
    if (take_word(order, reply)) go(order, order->word.state == ACME_PENDING ? STEP_LOOK : STEP_READY);
}

static void is_ready(struct acme_order *order, const struct acme_reply *reply) {
    if (!take_word(order, reply)) return;
    if (order->word.state == ACME_READY)
        go(order, STEP_FINALIZE);
    else
        ask_again(order, reply);
}

static void is_signed(struct acme_order *order, const struct acme_reply *reply) {
    if (!take_word(order, reply)) return;
    if (order->word.state == ACME_VALID)
        go(order, STEP_CHAIN);
    else if (order->step == STEP_FINALIZE) {
        order->step = STEP_SIGNED;
        ask_again(order, reply);
    } else
        ask_again(order, reply);
}

static void take_chain(struct acme_order *order, const struct acme_reply *reply) {
    const struct acme_result result = {.chain = reply->body, .key = order->key};
    if (reply->body.len == 0)
        fail(order, "its chain is empty");
    else
        end(order, &result);
}

static void on_reply(void *ctx, const struct acme_reply *reply) {
    struct acme_order *order = ctx;
    if (!reply->is_ok) {
        char why[sizeof(reply->problem.detail) + 80];
        snprintf(why, sizeof(why), "%s%s%s", reply->problem.type, reply->problem.type[0] ? ": " : "",
                 reply->problem.detail);
        const struct acme_result result = {
            .why = why, .is_out_of_reach = reply->is_out_of_reach, .retry_after_ms = reply->retry_after_ms};
        end(order, &result);
        return;
    }
    switch (order->step) {
    case STEP_ORDER: ordered(order, reply); break;
    case STEP_LOOK:
    case STEP_LOOKED: looked(order, reply); break;
    case STEP_CHALLENGE:
        order->step = STEP_LOOKED;
        ask_again(order, reply);
        break;
    case STEP_READY: is_ready(order, reply); break;
    case STEP_FINALIZE:
    case STEP_SIGNED: is_signed(order, reply); break;
    case STEP_CHAIN: take_chain(order, reply); break;
    }
}

/* ---- questions ---- */

static bool post(struct acme_order *order, const char *url, struct view payload) {
    return acme_session_post(order->settings.session, url, payload, on_reply, order);
}

static bool ask_order(struct acme_order *order) {
    char payload[2 * ACME_NAME_MAX + 160];
    int len = snprintf(payload, sizeof(payload), "{\"identifiers\":[{\"type\":\"dns\",\"value\":\"%s\"}",
                       order->name);
    if (order->settings.has_wildcard)
        len += snprintf(payload + len, sizeof(payload) - (size_t)len, ",{\"type\":\"dns\",\"value\":\"%s\"}",
                        order->wildcard);
    len += snprintf(payload + len, sizeof(payload) - (size_t)len, "]}");
    return acme_session_order(order->settings.session, view_of(payload, (size_t)len), on_reply, order);
}

static bool ask_signature(struct acme_order *order) {
    const struct view names[] = {view_from_cstr(order->name), view_from_cstr(order->wildcard)};
    struct buf der, payload;
    buf_init(&der, REQUEST_MAX);
    buf_init(&payload, REQUEST_MAX * 2);
    bool ok = order->key &&
              acme_request_print(order->key, names, order->settings.has_wildcard ? 2 : 1, &der) &&
              buf_append_view(&payload, VIEW("{\"csr\":\"")) && base64url_append(&payload, buf_view(&der)) &&
              buf_append_view(&payload, VIEW("\"}")) && post(order, order->word.finalize, buf_view(&payload));
    buf_done(&der);
    buf_done(&payload);
    return ok;
}

static bool ask_step(struct acme_order *order) {
    struct view nothing = VIEW("");
    switch (order->step) {
    case STEP_ORDER: return ask_order(order);
    case STEP_LOOK:
    case STEP_LOOKED: return post(order, order->word.authorizations[order->at], nothing);
    case STEP_CHALLENGE: return post(order, acme_show_url(order->show), VIEW("{}"));
    case STEP_READY:
    case STEP_SIGNED: return post(order, order->url, nothing);
    case STEP_FINALIZE: return ask_signature(order);
    case STEP_CHAIN: return post(order, order->word.certificate, nothing);
    }
    return false;
}

static void ask(struct acme_order *order) {
    if (!ask_step(order)) fail_later(order, "out of memory");
}

struct acme_order *acme_order_start(const struct acme_order_settings *settings, acme_order_fn *done,
                                    void *ctx) {
    struct acme_order *order = calloc(1, sizeof(*order));
    if (!order) return NULL;
    *order = (struct acme_order){.settings = *settings, .done = done, .ctx = ctx, .key = acme_key_new()};
    view_copy_to(settings->name, order->name, sizeof(order->name));
    snprintf(order->wildcard, sizeof(order->wildcard), "*.%s", order->name);
    timer_init(&order->wait, on_wait);
    timer_init(&order->deadline, on_deadline);
    task_init(&order->failed, on_failed);
    if (order->key && order->name[0] && timer_start(&settings->loop->timers, &order->deadline, MOST_MS) &&
        ask_step(order))
        return order;
    order_free(order);
    return NULL;
}
