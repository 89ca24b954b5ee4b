/* See acme.h. */
#include "acme/acme.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "acme/acme_files.h"
#include "acme/acme_names.h"
#include "acme/acme_order.h"
#include "acme/acme_shared.h"
#include "acme/acme_waits.h"
#include "base/ids.h"
#include "base/log.h"
#include "base/regular_file.h"

#define SETTLE_MS 5000 /* until a certificate in the folder is in use (config/tls_files.c), and some */
#define TURN_MS 10000  /* another gateway has the right to order */
#define LOOK_MS 60000  /* at the latest: the wall clock may be set */
/* Then a name that is not ours, and has no certificate, is forgotten until somebody comes. */
#define FAILURES_MAX 8
#define QUESTIONS_MAX 9 /* of core_certify() at once */
#define QUESTIONS_A_SECOND 8

/* Somebody came for a name; or one that is not ours is to be renewed. */
struct question {
    struct acme *acme; /* NULL: it is none */
    bool is_renewal;
    char name[ACME_NAME_MAX + 1];
};

struct acme {
    struct acme_settings settings;
    char *folder;
    EVP_PKEY *account;
    struct acme_session *session;
    struct core *core; /* NULL: not started, or stopped */
    struct acme_names names;
    struct acme_order *order;        /* NULL: none is under way */
    char ordered[ACME_NAME_MAX + 1]; /* whose it is */
    struct acme_shared *shared;      /* NULL: nothing is */
    bool is_busy;                    /* no order can begin, though none is under way */
    struct timer timer;
    struct question questions[QUESTIONS_MAX];
    uint64_t second; /* in which so many were asked */
    size_t questions_in_second;
    bool was_full;
};

static void plan(struct acme *acme);

static uint64_t now_ms(void) {
    return loop_wall_ms(NULL);
}

static uint32_t dice(void) {
    uint32_t value;
    ids_random(&value, sizeof(value));
    return value;
}

/* ---- an order ---- */

static bool read_dates(struct acme *acme, struct acme_name *name) {
    struct view views[ACME_NAMES_MAX];
    int64_t begin_s, end_s;
    size_t count = acme_name_views(name, views);
    if (!acme_files_dates(acme->folder, views, count, &begin_s, &end_s)) return false;
    name->due_ms = acme_renewal_ms(begin_s, end_s, dice());
    return true;
}

/* How long the certificate in the folder is still good. */
static uint64_t left_ms(const struct acme *acme, const struct acme_name *name) {
    struct view text = view_from_cstr(name->text);
    int64_t begin_s, end_s;
    if (!acme_files_dates(acme->folder, &text, 1, &begin_s, &end_s) || end_s < 0) return 0;
    uint64_t end_ms = (uint64_t)end_s * 1000, now = now_ms();
    return end_ms > now ? end_ms - now : 0;
}

/* Without its file the next one who comes for it is known to miss a certificate. */
static void drop(struct acme *acme, struct acme_name *name) {
    acme_files_remove(acme->folder, view_from_cstr(name->text));
    if (acme->shared) acme_shared_drop_certificate(acme->shared, view_from_cstr(name->text));
    acme_names_remove(&acme->names, name);
}

/* While there is a good certificate nobody who comes asks for another: it is for us to go on. */
static void failed(struct acme *acme, struct acme_name *name, const struct acme_result *result,
                   const char *why) {
    acme_name_failed(name);
    uint64_t pause_ms = acme_pause_ms(name->failures, result->is_out_of_reach, dice());
    if (result->retry_after_ms > pause_ms) pause_ms = result->retry_after_ms;
    name->due_ms = now_ms() + pause_ms;
    log_error("acme", "no certificate for %s from %s: %s; tried again in %u s", name->text,
              acme->settings.directory, why, (unsigned)(pause_ms / 1000));
    if (acme->shared)
        acme_shared_put_wait(acme->shared, view_from_cstr(name->text), name->failures, name->due_ms);
    if (!name->is_ours && name->failures >= FAILURES_MAX && !left_ms(acme, name)) drop(acme, name);
    acme_waits_save(acme->folder, &acme->names);
}

static void share(struct acme *acme, struct acme_name *name) {
    if (!acme->shared) return;
    acme_shared_put_certificate(acme->shared, view_from_cstr(name->text));
    acme_shared_put_wait(acme->shared, view_from_cstr(name->text), 0, 0);
    name->is_shared = true;
}

static void keep(struct acme *acme, struct acme_name *name, const struct acme_result *result) {
    char why[ACME_WHY_MAX];
    struct view views[ACME_NAMES_MAX];
    size_t count = acme_name_views(name, views);
    if (!acme_files_put(acme->folder, views, count, result->chain, result->key, why)) {
        failed(acme, name, result, why);
        return;
    }
    bool has_failed = name->failures > 0;
    name->failures = 0;
    if (has_failed) acme_waits_save(acme->folder, &acme->names);
    name->came_ms = now_ms();
    share(acme, name);
    if (!read_dates(acme, name)) name->due_ms = now_ms() + LOOK_MS;
    uint64_t minutes = name->due_ms > now_ms() ? (name->due_ms - now_ms()) / 60000 : 0;
    log_info("acme", "a certificate for %s%s%s is here; the next one comes in %" PRIu64 " %s", name->text,
             name->has_wildcard ? " and " : "", name->has_wildcard ? name->wildcard : "",
             minutes > 120 ? minutes / 60 : minutes, minutes > 120 ? "hours" : "minutes");
}

static void on_ordered(void *ctx, const struct acme_result *result) {
    struct acme *acme = ctx;
    struct acme_name *name = acme_names_find(&acme->names, view_from_cstr(acme->ordered));
    acme->order = NULL;
    if (name && result->chain.ptr)
        keep(acme, name, result);
    else if (name)
        failed(acme, name, result, result->why);
    if (acme->shared) acme_shared_end(acme->shared);
    plan(acme);
}

static void order_now(struct acme *acme, struct acme_name *name) {
    const struct acme_order_settings settings = {.loop = acme->settings.loop,
                                                 .session = acme->session,
                                                 .account = acme->account,
                                                 .challenges = acme->settings.challenges,
                                                 .shared = acme->shared,
                                                 .hook = name->has_wildcard ? acme->settings.hook : NULL,
                                                 .way = name->failures % 2 ? ACME_TLS : ACME_HTTP,
                                                 .name = view_from_cstr(name->text),
                                                 .has_wildcard = name->has_wildcard};
    log_info("acme", "a certificate for %s is ordered", name->text);
    acme->order = acme_order_start(&settings, on_ordered, acme);
    if (acme->order) return;
    name->due_ms = now_ms() + LOOK_MS;
    if (acme->shared) acme_shared_end(acme->shared);
}

/* ---- with other gateways ---- */

static struct acme_session *make_session(const struct acme *acme, EVP_PKEY *account) {
    const struct acme_session_settings session = {.http = acme->settings.http,
                                                  .directory = acme->settings.directory,
                                                  .email = acme->settings.email,
                                                  .key = account};
    return acme_session_new(&session);
}

/* All order by one account: whose key was there first. */
static bool settle_account(struct acme *acme) {
    EVP_PKEY *key = acme_shared_account(acme->shared);
    if (!key) acme_shared_put_account(acme->shared, acme->account);
    if (!key || EVP_PKEY_eq(key, acme->account) == 1) return true;
    struct acme_session *session = make_session(acme, key);
    if (!session) return false;
    acme_session_free(acme->session);
    acme->session = session;
    EVP_PKEY_up_ref(key);
    EVP_PKEY_free(acme->account);
    acme->account = key;
    return true;
}

static void on_begun(void *ctx, enum status status) {
    struct acme *acme = ctx;
    struct acme_name *name = acme_names_find(&acme->names, view_from_cstr(acme->ordered));
    acme->is_busy = false;
    if (name) name->is_elsewhere = status == STATUS_CONFLICT;
    if (status != STATUS_OK && name) name->due_ms = now_ms() + TURN_MS + dice() % TURN_MS;
    if (status == STATUS_OK && name && name->due_ms <= now_ms() && settle_account(acme))
        order_now(acme, name);
    else
        acme_shared_end(acme->shared); /* another has done it meanwhile, or does it */
    plan(acme);
}

static void order(struct acme *acme, struct acme_name *name) {
    view_copy_to(view_from_cstr(name->text), acme->ordered, sizeof(acme->ordered));
    acme->is_busy = acme->shared;
    if (acme->shared)
        acme_shared_begin(acme->shared, on_begun);
    else
        order_now(acme, name);
}

static void on_came(void *ctx, struct view text, bool is_new) {
    struct acme *acme = ctx;
    struct acme_name *name = acme_names_add(&acme->names, text, false);
    if (!name) return;
    name->is_shared = true;
    if (!is_new) return;
    name->is_elsewhere = false;
    name->failures = 0;
    name->came_ms = now_ms();
    read_dates(acme, name);
    log_info("acme", "a certificate for %s has come from another gateway", name->text);
}

static void on_waits(void *ctx, struct view text, unsigned failures, uint64_t due_ms) {
    struct acme *acme = ctx;
    struct acme_name *name = acme_names_find(&acme->names, text);
    if (name) name->is_elsewhere = false;
    if (!name || due_ms <= name->due_ms || due_ms > now_ms() + ACME_WAIT_MAX_MS) return;
    name->failures = failures;
    name->due_ms = due_ms;
}

/* What the store does not have is given to it: it may be new, or have lost it. */
static void on_loaded(void *ctx, enum status status) {
    struct acme *acme = ctx;
    struct view views[ACME_NAMES_MAX];
    int64_t begin_s, end_s;
    acme->is_busy = false;
    for (size_t i = 0; status == STATUS_OK && i < acme->names.count; i++) {
        struct acme_name *name = &acme->names.items[i];
        size_t count = acme_name_views(name, views);
        if (!name->is_shared && acme_files_dates(acme->folder, views, count, &begin_s, &end_s))
            share(acme, name);
    }
    plan(acme);
}

void acme_changed(void *ctx, struct view key, bool was_removed) {
    struct acme *acme = ctx;
    if (acme->core && acme->shared) acme_shared_changed(acme->shared, key, was_removed);
}

void acme_reached(void *ctx) {
    struct acme *acme = ctx;
    if (!acme->core || !acme->shared || acme->is_busy || acme->order) return;
    acme->is_busy = true;
    for (size_t i = 0; i < acme->names.count; i++) acme->names.items[i].is_shared = false;
    acme_shared_load(acme->shared, on_loaded);
}

static bool make_shared(struct acme *acme) {
    const struct acme_shared_settings settings = {.loop = acme->settings.loop,
                                                  .store = acme->settings.store,
                                                  .seal = acme->settings.seal,
                                                  .folder = acme->folder,
                                                  .challenges = acme->settings.challenges,
                                                  .ctx = acme,
                                                  .came = on_came,
                                                  .waits = on_waits};
    if (!acme->settings.store) return true;
    if (!settings.seal)
        log_warn("acme", "private keys of certificates lie in the store for all who can read it: give all "
                         "gateways one secret of their own, by --tunnel-secret-file (TUNNEL_SECRET_FILE)");
    acme->shared = acme_shared_new(&settings);
    return acme->shared;
}

/* ---- names of others ---- */

/* Its tunnel may come back while the certificate is good. */
static void forget(struct acme *acme, struct acme_name *name) {
    uint64_t left = left_ms(acme, name);
    log_info("acme", "%s has no tunnel any more: its certificate is not renewed", name->text);
    if (left)
        name->due_ms = now_ms() + acme_look_ms(left);
    else
        drop(acme, name);
}

static void renew(struct acme *acme, struct view text, enum status verdict) {
    struct acme_name *name = acme_names_find(&acme->names, text);
    acme->is_busy = false;
    if (name && verdict == STATUS_OK)
        order(acme, name);
    else if (name && verdict == STATUS_NOT_FOUND)
        forget(acme, name);
    else if (name)
        name->due_ms = now_ms() + LOOK_MS;
}

static void welcome(struct acme *acme, struct view text) {
    struct acme_name *name = acme_names_find(&acme->names, text);
    if (name) return;
    name = acme_names_add(&acme->names, text, false);
    if (name)
        name->due_ms = now_ms();
    else if (!acme->was_full)
        log_warn("acme", "%.*s gets no certificate: there are %d already", VIEW_ARG(text), ACME_NAMES_ROOM);
    acme->was_full = !name;
}

static void on_verdict(void *ctx, enum status status) {
    struct question *question = ctx;
    struct acme *acme = question->acme;
    struct view text = view_from_cstr(question->name);
    question->acme = NULL;
    if (acme->core && question->is_renewal)
        renew(acme, text, status);
    else if (acme->core && status == STATUS_OK)
        welcome(acme, text);
    if (acme->core) plan(acme);
}

static bool ask(struct acme *acme, struct view name, bool is_renewal) {
    struct question *question = acme->questions;
    while (question < acme->questions + QUESTIONS_MAX && question->acme) question++;
    if (question == acme->questions + QUESTIONS_MAX) return false;
    *question = (struct question){.acme = acme, .is_renewal = is_renewal};
    view_copy_to(name, question->name, sizeof(question->name));
    if (core_certify(acme->core, view_from_cstr(question->name), on_verdict, question)) return true;
    question->acme = NULL;
    return false;
}

/* Strangers choose the names: only so many are looked up. */
static bool may_ask(struct acme *acme) {
    uint64_t second = loop_now(acme->settings.loop) / 1000;
    if (acme->second != second) acme->questions_in_second = 0;
    acme->second = second;
    return acme->questions_in_second++ < QUESTIONS_A_SECOND;
}

/* The wildcard will do for it. */
static bool is_covered(const struct acme *acme, struct view name) {
    const struct acme_name *first = acme->names.items;
    struct view above = view_skip(name, view_find(name, '.') + 1);
    return acme->names.count && first->has_wildcard && view_eq(above, view_from_cstr(first->text));
}

static bool is_asked(const struct acme *acme, struct view name) {
    for (size_t i = 0; i < QUESTIONS_MAX; i++)
        if (acme->questions[i].acme && view_eq(view_from_cstr(acme->questions[i].name), name)) return true;
    return false;
}

/* It is being ordered, here or elsewhere, or about to be, or is here and not yet in use. */
static bool is_near(const struct acme_name *name) {
    uint64_t now = now_ms();
    return name->failures == 0 &&
           (name->due_ms <= now || name->is_elsewhere || now < name->came_ms + SETTLE_MS);
}

static bool on_awaits(void *ctx, struct view name, bool is_first) {
    struct acme *acme = ctx;
    char text[ACME_NAME_MAX + 1];
    if (!acme->core || !view_copy_to(name, text, sizeof(text))) return false;
    for (char *at = text; *at; at++)
        if (*at >= 'A' && *at <= 'Z') *at = (char)(*at + ('a' - 'A'));
    struct view lower = view_from_cstr(text);
    const struct acme_name *known =
        is_covered(acme, lower) ? acme->names.items : acme_names_find(&acme->names, lower);
    if (known) return is_near(known);
    if (!is_first || !acme_name_is_good(lower)) return is_asked(acme, lower);
    return is_asked(acme, lower) || (may_ask(acme) && ask(acme, lower, false));
}

/* ---- when ---- */

static void on_timer(struct timer *timer) {
    struct acme *acme = LIST_ENTRY(timer, struct acme, timer);
    struct acme_name *next = acme_names_next(&acme->names);
    if (next && next->due_ms <= now_ms()) {
        acme->is_busy = !next->is_ours && ask(acme, view_from_cstr(next->text), true);
        if (next->is_ours)
            order(acme, next);
        else if (!acme->is_busy)
            next->due_ms = now_ms() + LOOK_MS;
    }
    plan(acme);
}

static void plan(struct acme *acme) {
    struct acme_name *next = acme_names_next(&acme->names);
    uint64_t now = now_ms(), wait_ms = LOOK_MS;
    timer_stop(&acme->settings.loop->timers, &acme->timer);
    if (!acme->core || acme->order || acme->is_busy) return;
    if (next && next->due_ms < now + LOOK_MS) wait_ms = next->due_ms > now ? next->due_ms - now : 0;
    timer_start(&acme->settings.loop->timers, &acme->timer, wait_ms);
}

/* ---- life ---- */

static void on_kept(void *ctx, struct view text) {
    struct acme *acme = ctx;
    struct acme_name *name = acme_names_add(&acme->names, text, false);
    if (name && !name->is_ours && !read_dates(acme, name)) acme_names_remove(&acme->names, name);
}

static void add_ours(struct acme *acme, const struct view *names, size_t count) {
    for (size_t i = 0; i < count; i++) {
        struct acme_name *name = acme_names_add(&acme->names, names[i], true);
        if (!name) continue; /* an address, or one that no authority knows */
        name->has_wildcard = i == 0 && acme->settings.hook;
        read_dates(acme, name);
    }
}

static bool prepare(struct acme *acme, char why[ACME_WHY_MAX]) {
    const struct acme_settings *settings = &acme->settings;
    snprintf(why, ACME_WHY_MAX, "out of memory");
    acme->folder = view_to_cstr(view_from_cstr(settings->folder));
    if (!acme->folder) return false;
    if (!acme_files_prepare(acme->folder)) {
        snprintf(why, ACME_WHY_MAX, "%.300s: %s", acme->folder, file_problem(errno));
        return false;
    }
    acme->account = acme_files_account(acme->folder, why);
    if (!acme->account) return false;
    acme->session = make_session(acme, acme->account);
    return acme->session && make_shared(acme);
}

static void tell_waits(const struct acme *acme) {
    for (size_t i = 0; i < acme->names.count; i++) {
        const struct acme_name *name = &acme->names.items[i];
        if (name->failures)
            log_warn("acme", "%s gets no certificate for %" PRIu64 " s: it was refused before the start",
                     name->text, (name->due_ms - now_ms()) / 1000);
    }
}

struct acme *acme_new(const struct acme_settings *settings, const char **ret_why) {
    static char why[ACME_WHY_MAX];
    struct acme *acme = calloc(1, sizeof(*acme));
    *ret_why = why;
    if (!acme) return NULL;
    acme->settings = *settings;
    timer_init(&acme->timer, on_timer);
    if (prepare(acme, why)) {
        add_ours(acme, settings->names, settings->names_count);
        acme_files_list(acme->folder, on_kept, acme);
        acme_waits_load(acme->folder, now_ms(), &acme->names);
        tell_waits(acme);
        return acme;
    }
    acme_free(acme);
    return NULL;
}

void acme_start(struct acme *acme, struct core *core) {
    acme->core = core;
    acme->settings.challenges->ctx = acme;
    acme->settings.challenges->awaits = on_awaits;
    if (acme->shared)
        acme_reached(acme);
    else
        plan(acme);
}

void acme_stop(struct acme *acme) {
    if (!acme || !acme->core) return;
    acme->core = NULL;
    acme->settings.challenges->awaits = NULL;
    timer_stop(&acme->settings.loop->timers, &acme->timer);
    acme_order_cancel(acme->order);
    acme->order = NULL;
    acme_shared_stop(acme->shared);
}

void acme_free(struct acme *acme) {
    if (!acme) return;
    acme_stop(acme);
    acme_session_free(acme->session);
    acme_shared_free(acme->shared);
    EVP_PKEY_free(acme->account);
    free(acme->folder);
    free(acme);
}

struct view acme_answer(void *ctx, struct view name, struct view token) {
    return challenges_text(ctx, name, token);
}
