/* See acme_shared.h. What comes from the store is no more believed than what an authority says. */
#include "acme/acme_shared.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "acme/acme_files.h"
#include "acme/acme_names.h"
#include "acme/acme_seal.h"
#include "acme/acme_show.h"
#include "base/log.h"

#define LEASE_MS 60000
#define RENEW_MS 20000
#define RECORD_MAX ((size_t)512 * 1024)
#define LOCK VIEW("acme")
#define KEY_ROOM (ACME_NAME_MAX + 32)

struct acme_shared {
    struct acme_shared_settings settings;
    EVP_PKEY *account;
    acme_shared_fn *loaded, *begun; /* NULL: nobody waits */
    bool has_right, is_stopped;
    struct timer renewal;
};

/* ---- what comes ---- */

static void take_certificate(struct acme_shared *shared, struct view name, struct view record) {
    bool is_new = false;
    char why[ACME_WHY_MAX];
    if (!acme_files_adopt(shared->settings.folder, name, record, &is_new, why))
        log_warn("acme", "a certificate for %.*s in the store is passed over: %s", VIEW_ARG(name), why);
    else
        shared->settings.came(shared->settings.ctx, name, is_new);
}

static void take_show(struct acme_shared *shared, struct view name, struct view record) {
    struct view way, token;
    challenges_remove(shared->settings.challenges, name);
    if (view_split(&record, '\n', &way) && view_split(&record, '\n', &token) &&
        acme_word_is_good(token, ACME_TOKEN_MAX) && record.ptr)
        acme_show_put(shared->settings.challenges,
                      view_eq(way, view_from_cstr(acme_way_name(ACME_TLS))) ? ACME_TLS : ACME_HTTP, name,
                      token, record);
}

static void take_wait(struct acme_shared *shared, struct view name, struct view record) {
    uint64_t failures, due_ms;
    struct view first;
    if (view_split(&record, ' ', &first) && view_parse_u64(first, &failures) &&
        view_parse_u64(record, &due_ms))
        shared->settings.waits(shared->settings.ctx, name,
                               failures < ACME_FAILURES_MAX ? (unsigned)failures : ACME_FAILURES_MAX, due_ms);
}

static void take_account(struct acme_shared *shared, struct view record) {
    EVP_PKEY *key = acme_key_parse(record);
    if (!key) return;
    EVP_PKEY_free(shared->account);
    shared->account = key;
}

/* With a key only what is sealed is believed: others may have written to the store. */
static bool open_record(const struct acme_shared *shared, struct view key, struct view record,
                        struct buf *text) {
    const unsigned char *seal = shared->settings.seal;
    bool ok = seal ? acme_unseal(seal, key, record, text) : buf_append_view(text, record);
    if (!ok)
        log_warn("acme",
                 "what the store has of %.*s is passed over: it is not sealed with the secret of this "
                 "gateway",
                 VIEW_ARG(view_slice(key, 0, KEY_ROOM)));
    return ok;
}

static void take_secret(struct acme_shared *shared, struct view key, struct view name, struct view record) {
    struct buf text;
    buf_init(&text, RECORD_MAX + 1);
    bool ok = open_record(shared, key, record, &text);
    if (ok && name.len) take_certificate(shared, name, buf_view(&text));
    if (ok && !name.len) take_account(shared, buf_view(&text));
    if (text.ptr) explicit_bzero(text.ptr, text.cap);
    buf_done(&text);
}

static void take(void *target, struct view key, struct view record) {
    struct acme_shared *shared = target;
    struct view kind = view_slice(key, 0, view_find(key, ' ')), name = view_skip(key, kind.len + 1);
    if (shared->is_stopped || !record.ptr || record.len > RECORD_MAX) return;
    if (view_eq(key, VIEW("account"))) {
        take_secret(shared, key, (struct view){0}, record);
        return;
    }
    if (!acme_name_is_good(name)) return;
    if (view_eq(kind, VIEW("certificate"))) take_secret(shared, key, name, record);
    if (view_eq(kind, VIEW("show"))) take_show(shared, name, record);
    if (view_eq(kind, VIEW("wait"))) take_wait(shared, name, record);
}

void acme_shared_changed(struct acme_shared *shared, struct view key, bool was_removed) {
    struct view show = VIEW("show ");
    if (shared->is_stopped) return;
    if (!was_removed)
        store_redis_look_at(shared->settings.store, SHELF_ACME, key, take, shared);
    else if (view_starts_with(key, show))
        challenges_remove(shared->settings.challenges, view_skip(key, show.len));
}

static void on_loaded(void *target, uint64_t ticket, enum status status) {
    struct acme_shared *shared = target;
    acme_shared_fn *done = shared->loaded;
    (void)ticket;
    shared->loaded = NULL;
    if (done && !shared->is_stopped) done(shared->settings.ctx, status);
}

void acme_shared_load(struct acme_shared *shared, acme_shared_fn *done) {
    shared->loaded = done;
    store_redis_shelf(shared->settings.store, SHELF_ACME, take, on_loaded, shared);
}

/* ---- the right ---- */

static void on_renewed(void *target, uint64_t ticket, enum status status) {
    (void)target, (void)ticket;
    if (status == STATUS_CONFLICT)
        log_warn("acme", "another gateway orders certificates, too: this one was away for too long");
}

static void on_renewal(struct timer *timer) {
    struct acme_shared *shared = LIST_ENTRY(timer, struct acme_shared, renewal);
    store_redis_lock(shared->settings.store, LOCK, LEASE_MS, on_renewed, shared);
    timer_start(&shared->settings.loop->timers, &shared->renewal, RENEW_MS);
}

static void on_locked(void *target, uint64_t ticket, enum status status) {
    struct acme_shared *shared = target;
    acme_shared_fn *done = shared->begun;
    (void)ticket;
    shared->begun = NULL;
    if (shared->is_stopped) return;
    shared->has_right = status == STATUS_OK;
    if (!shared->has_right) {
        done(shared->settings.ctx, status);
        return;
    }
    timer_start(&shared->settings.loop->timers, &shared->renewal, RENEW_MS);
    acme_shared_load(shared, done);
}

void acme_shared_begin(struct acme_shared *shared, acme_shared_fn *done) {
    shared->begun = done;
    store_redis_lock(shared->settings.store, LOCK, LEASE_MS, on_locked, shared);
}

static void on_ignored(void *target, uint64_t ticket, enum status status) {
    (void)target, (void)ticket,
        (void)status; /* what the store does not get is ordered again, or waited for */
}

/* One that has been asked for, and is still on its way, would be nobody's for the length of its lease. */
void acme_shared_end(struct acme_shared *shared) {
    timer_stop(&shared->settings.loop->timers, &shared->renewal);
    if (shared->has_right || shared->begun)
        store_redis_unlock(shared->settings.store, LOCK, on_ignored, NULL);
    shared->has_right = false;
}

/* ---- what goes ---- */

static struct view place_of(const char *kind, struct view name, char room[KEY_ROOM]) {
    int len = snprintf(room, KEY_ROOM, name.len ? "%s %.*s" : "%s", kind, VIEW_ARG(name));
    return view_of(room, (size_t)len);
}

static void put(struct acme_shared *shared, const char *kind, struct view name, struct view record) {
    char room[KEY_ROOM];
    struct view at = place_of(kind, name, room);
    if (record.ptr)
        store_redis_put_on(shared->settings.store, SHELF_ACME, at, record, on_ignored, NULL);
    else
        store_redis_take_off(shared->settings.store, SHELF_ACME, at, record, on_ignored, NULL);
}

static void put_secret(struct acme_shared *shared, const char *kind, struct view name, struct view text) {
    char room[KEY_ROOM];
    struct buf record;
    buf_init(&record, RECORD_MAX);
    if (!shared->settings.seal)
        put(shared, kind, name, text);
    else if (acme_seal(shared->settings.seal, place_of(kind, name, room), text, &record))
        put(shared, kind, name, buf_view(&record));
    buf_done(&record);
}

EVP_PKEY *acme_shared_account(const struct acme_shared *shared) {
    return shared->account;
}

void acme_shared_put_account(struct acme_shared *shared, EVP_PKEY *key) {
    struct buf pem;
    buf_init(&pem, 4096);
    if (acme_key_print(key, &pem)) put_secret(shared, "account", (struct view){0}, buf_view(&pem));
    if (pem.ptr) explicit_bzero(pem.ptr, pem.cap);
    buf_done(&pem);
}

void acme_shared_put_certificate(struct acme_shared *shared, struct view name) {
    struct buf pem;
    buf_init(&pem, (size_t)1024 * 1024 + 1);
    if (acme_files_read(shared->settings.folder, name, &pem) && pem.len <= RECORD_MAX)
        put_secret(shared, "certificate", name, buf_view(&pem));
    if (pem.ptr) explicit_bzero(pem.ptr, pem.cap);
    buf_done(&pem);
}

void acme_shared_drop_certificate(struct acme_shared *shared, struct view name) {
    put(shared, "certificate", name, (struct view){0});
}

void acme_shared_put_wait(struct acme_shared *shared, struct view name, unsigned failures, uint64_t due_ms) {
    char text[64];
    int len = snprintf(text, sizeof(text), "%u %" PRIu64, failures, due_ms);
    put(shared, "wait", name, failures ? view_of(text, (size_t)len) : (struct view){0});
}

void acme_shared_show(struct acme_shared *shared, struct view name, enum acme_way way, struct view token,
                      struct view text) {
    char record[2 * ACME_TOKEN_MAX + 128];
    int len = snprintf(record, sizeof(record), "%s\n%.*s\n%.*s", acme_way_name(way), VIEW_ARG(token),
                       VIEW_ARG(text));
    put(shared, "show", name, view_of(record, (size_t)len));
}

void acme_shared_hide(struct acme_shared *shared, struct view name) {
    put(shared, "show", name, (struct view){0});
}

/* ---- life ---- */

struct acme_shared *acme_shared_new(const struct acme_shared_settings *settings) {
    struct acme_shared *shared = calloc(1, sizeof(*shared));
    if (!shared) return NULL;
    shared->settings = *settings;
    timer_init(&shared->renewal, on_renewal);
    return shared;
}

void acme_shared_stop(struct acme_shared *shared) {
    if (!shared || shared->is_stopped) return;
    acme_shared_end(shared);
    shared->is_stopped = true;
}

void acme_shared_free(struct acme_shared *shared) {
    if (!shared) return;
    EVP_PKEY_free(shared->account);
    free(shared);
}
