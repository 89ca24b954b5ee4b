/* See dns_proofs.h. c-ares's callback may come at once, or when all ends: it only notes what it was told, and
 * a task tells. */
#include "dns/dns_proofs.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "dns/ares_loop.h"

#define NAME_MAX_BYTES 300
#define RECORD_MAX 512
#define TRY_MS 2000
#define HOLDS_MS 60000
#define NONE_MS 5000
#define REMEMBERED 256
#define CLASS_IN 1
#define TYPE_TXT 16

struct remembered {
    char name[NAME_MAX_BYTES], record[RECORD_MAX]; /* "": nothing */
    enum proof proof;
    uint64_t until_ms;
};

struct dns_proofs {
    struct loop *loop;
    struct ares_loop ares;
    struct list questions;
    size_t count;
    char gateway[256];
    struct remembered remembered[REMEMBERED];
};

struct question {
    struct list node;
    struct dns_proofs *proofs;
    struct task task;
    char name[NAME_MAX_BYTES], record[RECORD_MAX]; /* what is asked for, and what would prove it */
    enum proof proof;
    bool is_asked; /* c-ares has it */
    proof_done_fn *done;
    void *target;
    uint64_t ticket;
};

/* ---- what is remembered ---- */

static struct remembered *place_of(struct dns_proofs *proofs, const struct question *question) {
    uint64_t hash = 0xcbf29ce484222325u;
    for (const char *at = question->name; *at; at++) hash = (hash ^ (unsigned char)*at) * 0x100000001b3u;
    for (const char *at = question->record; *at; at++) hash = (hash ^ (unsigned char)*at) * 0x100000001b3u;
    return &proofs->remembered[hash % REMEMBERED];
}

static bool recall(struct question *question) {
    const struct remembered *place = place_of(question->proofs, question);
    bool is_it = place->until_ms > loop_now(question->proofs->loop) &&
                 strcmp(place->name, question->name) == 0 && strcmp(place->record, question->record) == 0;
    if (is_it) question->proof = place->proof;
    return is_it;
}

static void remember(const struct question *question) {
    struct remembered *place = place_of(question->proofs, question);
    if (question->proof == PROOF_UNKNOWN) return;
    memcpy(place->name, question->name, sizeof(place->name));
    memcpy(place->record, question->record, sizeof(place->record));
    place->proof = question->proof;
    place->until_ms =
        loop_now(question->proofs->loop) + (question->proof == PROOF_HOLDS ? HOLDS_MS : NONE_MS);
}

/* ---- answers ---- */

static void question_free(struct question *question) {
    task_cancel(&question->task);
    list_remove(&question->node);
    question->proofs->count--;
    free(question);
}

static void on_task(struct task *task) {
    struct question *question = LIST_ENTRY(task, struct question, task);
    proof_done_fn *done = question->done;
    void *target = question->target;
    uint64_t ticket = question->ticket;
    enum proof proof = question->proof;
    question_free(question);
    done(target, ticket, proof);
}

static bool is_proof(const unsigned char *text, size_t len, const char *record) {
    return view_eq(view_of(text, len), view_from_cstr(record));
}

/* A record may be cut into several strings: those of one are one text. */
enum proof dns_proof_of(const unsigned char *bytes, int len, const char *record) {
    struct ares_txt_ext *first = NULL;
    char text[RECORD_MAX];
    size_t used = 0;
    enum proof proof = PROOF_NONE;
    int status = ares_parse_txt_reply_ext(bytes, len, &first);
    if (status != ARES_SUCCESS) return status == ARES_ENODATA ? PROOF_NONE : PROOF_UNKNOWN;
    for (const struct ares_txt_ext *part = first; part; part = part->next) {
        if (part->record_start) used = 0;
        bool fits = part->length <= sizeof(text) - used;
        if (fits) memcpy(text + used, part->txt, part->length);
        used = fits ? used + part->length : sizeof(text); /* none of ours is so long */
        bool is_last = !part->next || part->next->record_start;
        if (is_last && is_proof((unsigned char *)text, used, record)) proof = PROOF_HOLDS;
    }
    ares_free_data(first);
    return proof;
}

static void on_answer(void *ctx, int status, int timeouts, unsigned char *bytes, int len) {
    struct question *question = ctx;
    (void)timeouts;
    question->is_asked = false;
    if (status == ARES_EDESTRUCTION) return;
    if (status == ARES_SUCCESS)
        question->proof = dns_proof_of(bytes, len, question->record);
    else
        question->proof = status == ARES_ENOTFOUND || status == ARES_ENODATA ? PROOF_NONE : PROOF_UNKNOWN;
    if (question->proof == PROOF_UNKNOWN)
        log_from(LOG_LEVEL_WARN, "dns", view_from_cstr(question->name), "%s", ares_strerror(status));
    remember(question);
    tasks_post(&question->proofs->loop->tasks, &question->task);
}

/* ---- questions ---- */

static struct question *question_new(struct dns_proofs *proofs, struct view domain, struct view subject) {
    struct question *question = calloc(1, sizeof(*question));
    if (!question) return NULL;
    question->proofs = proofs;
    question->proof = PROOF_UNKNOWN;
    task_init(&question->task, on_task);
    list_init(&question->node);
    list_append(&proofs->questions, &question->node);
    proofs->count++;
    snprintf(question->name, sizeof(question->name), "_ttf.%.*s", VIEW_ARG(domain));
    snprintf(question->record, sizeof(question->record), "ttf-owner=%.*s@%s", VIEW_ARG(subject),
             proofs->gateway);
    return question;
}

static bool ask(void *ctx, struct view domain, struct view subject, proof_done_fn *done, void *target,
                uint64_t ticket) {
    struct dns_proofs *proofs = ctx;
    struct question *question = question_new(proofs, domain, subject);
    if (!question) return false;
    question->done = done;
    question->target = target;
    question->ticket = ticket;
    if (recall(question) || proofs->count > PROOFS_ASKED_MAX || !proofs->ares.is_open) {
        tasks_post(&proofs->loop->tasks, &question->task);
        return true;
    }
    question->is_asked = true;
    ares_query(proofs->ares.channel, question->name, CLASS_IN, TYPE_TXT, on_answer, question);
    ares_loop_wait(&proofs->ares);
    return true;
}

/* ---- life ---- */

struct dns_proofs *dns_proofs_new(struct loop *loop, const char *servers, struct view gateway) {
    struct dns_proofs *proofs = calloc(1, sizeof(*proofs));
    if (!proofs) return NULL;
    proofs->loop = loop;
    list_init(&proofs->questions);
    ares_loop_init(&proofs->ares, loop);
    view_copy_to(gateway, proofs->gateway, sizeof(proofs->gateway));
    if (ares_loop_open(&proofs->ares, servers, TRY_MS)) return proofs;
    free(proofs);
    return NULL;
}

void dns_proofs_stop(struct dns_proofs *proofs) {
    if (!proofs) return;
    ares_loop_close(&proofs->ares);
    while (!list_empty(&proofs->questions))
        question_free(LIST_ENTRY(proofs->questions.next, struct question, node));
}

void dns_proofs_free(struct dns_proofs *proofs) {
    free(proofs);
}

struct proofs dns_proofs_port(struct dns_proofs *proofs) {
    return (struct proofs){.ctx = proofs, .ask = ask};
}
