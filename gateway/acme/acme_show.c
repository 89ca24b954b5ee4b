/* See acme_show.h. */
#include "acme/acme_show.h"

#include <stdio.h>
#include <stdlib.h>

#include "acme/acme_hook.h"
#include "acme/acme_request.h"
#include "acme/acme_shared.h"
#include "base/log.h"

#define SETTLE_MS 1000
#define PROOF_MAX (ACME_TOKEN_MAX + 1 + ACME_THUMBPRINT_LEN)

struct acme_show {
    struct acme_show_settings settings;
    char name[ACME_NAME_MAX + 1];
    struct acme_challenge challenge;
    char proof[PROOF_MAX + 1]; /* the token and the account's thumbprint (8.1) */
    struct acme_hook *hook;    /* runs; NULL: none does */
    struct timer settle;
    struct task task; /* `settings.done` is to be called */
    const char *why;
    bool is_shown, is_over; /* `is_over`: free it when it has told */
};

static struct view name_of(const struct acme_show *show) {
    return view_from_cstr(show->name);
}

static void show_free(struct acme_show *show) {
    challenges_remove(show->settings.challenges, name_of(show));
    if (show->settings.shared && show->settings.way != ACME_DNS)
        acme_shared_hide(show->settings.shared, name_of(show));
    timer_stop(&show->settings.loop->timers, &show->settle);
    acme_hook_cancel(show->hook);
    task_cancel(&show->task);
    free(show);
}

static void tell(struct acme_show *show, const char *why) {
    acme_show_fn *done = show->settings.done;
    void *ctx = show->settings.ctx;
    if (show->is_over) show_free(show);
    done(ctx, why);
}

static void on_task(struct task *task) {
    struct acme_show *show = LIST_ENTRY(task, struct acme_show, task);
    tell(show, show->why);
}

static void tell_later(struct acme_show *show, const char *why) {
    show->why = why;
    tasks_post(&show->settings.loop->tasks, &show->task);
}

/* ---- in DNS ---- */

static void on_hook(void *ctx, const char *why) {
    struct acme_show *show = ctx;
    char text[160];
    show->hook = NULL;
    snprintf(text, sizeof(text), "the program of --acme-dns-hook: %s", why ? why : "");
    show->is_shown = !why;
    tell(show, why ? text : NULL);
}

static struct acme_hook *run(const struct acme_show *show, const char *verb, acme_hook_fn *done, void *ctx,
                             const char **ret_why) {
    char value[ACME_THUMBPRINT_LEN + 1];
    *ret_why = "out of memory";
    if (!acme_digest(view_from_cstr(show->proof), value)) return NULL;
    return acme_hook_start(show->settings.loop, show->settings.hook, verb, show->name, value, done, ctx,
                           ret_why);
}

static void start_hook(struct acme_show *show, const char *verb) {
    const char *why;
    show->hook = run(show, verb, on_hook, show, &why);
    if (show->hook) return;
    log_error("acme", "--acme-dns-hook %s cannot be started: %s", show->settings.hook, why);
    tell_later(show, "the program of --acme-dns-hook cannot be started");
}

/* ---- here ---- */

static bool put_certificate(struct challenges *challenges, struct view name, struct view text) {
    EVP_PKEY *key = acme_key_new();
    X509 *certificate = key ? acme_request_challenge(key, name, text) : NULL;
    if (certificate) return challenges_add_certificate(challenges, name, certificate, key);
    EVP_PKEY_free(key);
    return false;
}

bool acme_show_put(struct challenges *challenges, enum acme_way way, struct view name, struct view token,
                   struct view text) {
    return way == ACME_TLS ? put_certificate(challenges, name, text)
                           : challenges_add_text(challenges, name, token, text);
}

/* The authority may come to any of the gateways: the others are given time to hear of it. */
static bool start_here(struct acme_show *show) {
    const struct acme_show_settings *settings = &show->settings;
    struct view token = view_from_cstr(show->challenge.token), text = view_from_cstr(show->proof);
    if (!acme_show_put(settings->challenges, settings->way, name_of(show), token, text)) return false;
    if (settings->shared) {
        acme_shared_show(settings->shared, name_of(show), settings->way, token, text);
        return timer_start(&settings->loop->timers, &show->settle, SETTLE_MS);
    }
    tell_later(show, NULL);
    return true;
}

static void on_settled(struct timer *timer) {
    tell(LIST_ENTRY(timer, struct acme_show, settle), NULL);
}

/* ---- life ---- */

static bool make_proof(struct acme_show *show) {
    char thumbprint[ACME_THUMBPRINT_LEN + 1];
    if (!acme_key_thumbprint(show->settings.account, thumbprint)) return false;
    snprintf(show->proof, sizeof(show->proof), "%s.%s", show->challenge.token, thumbprint);
    return true;
}

struct acme_show *acme_show_start(const struct acme_show_settings *settings) {
    struct acme_show *show = calloc(1, sizeof(*show));
    if (!show) return NULL;
    *show = (struct acme_show){.settings = *settings, .challenge = *settings->challenge};
    view_copy_to(view_from_cstr(settings->name), show->name, sizeof(show->name));
    task_init(&show->task, on_task);
    timer_init(&show->settle, on_settled);
    if (!make_proof(show) || (settings->way != ACME_DNS && !start_here(show))) {
        show_free(show);
        return NULL;
    }
    if (settings->way == ACME_DNS) start_hook(show, "set");
    return show;
}

const char *acme_show_url(const struct acme_show *show) {
    return show->challenge.url;
}

void acme_show_clear(struct acme_show *show, acme_show_fn *done) {
    show->settings.done = done;
    show->is_over = true;
    if (show->settings.way == ACME_DNS)
        start_hook(show, "clear");
    else
        tell_later(show, NULL);
}

static void on_last_hook(void *ctx, const char *why) {
    (void)ctx;
    if (why) log_warn("acme", "a record of --acme-dns-hook was left in DNS: the program %s", why);
}

void acme_show_cancel(struct acme_show *show) {
    const char *why;
    if (!show) return;
    if (show->settings.way == ACME_DNS && show->is_shown && !show->is_over)
        run(show, "clear", on_last_hook, NULL, &why);
    show_free(show);
}
