/* What an agent says (v1): ready, ping, answers and errors. An answer is believed only for a request that was
 * sent to the connection it comes from; the mailbox checks that. */
#include <stdlib.h>

#include "auth/resume.h"
#include "base/heap.h"
#include "base/log.h"
#include "handler/core.h"
#include "handler/core_state.h"
#include "handler/urls.h"

struct message {
    struct operation operation;
    core_done_fn *done;
    void *ctx;
    struct task task; /* for what is known at once */
    enum status status;
    char connection_id[CONNECTION_ID_MAX + 1];
    unsigned capabilities;
    uint64_t request_timeout_ms;
    bool has_policy; /* the claim says who may visit */
    struct claim claim;
};

static void message_drop(struct operation *operation) {
    struct message *message = LIST_ENTRY(operation, struct message, operation);
    task_cancel(&message->task);
    free(message);
}

static void message_end(struct message *message, enum status status) {
    operation_end(&message->operation);
    if (message->done) message->done(message->ctx, status);
    free(message);
}

static void on_task(struct task *task) {
    struct message *message = LIST_ENTRY(task, struct message, task);
    message_end(message, message->status);
}

static void end_later(struct message *message, enum status status) {
    message->status = status;
    tasks_post(message->operation.core->ports.clock.tasks, &message->task);
}

/* ---- ready ---- */

static void send_text(struct core *core, const struct link *link, const struct buf *text) {
    if (!text->failed) core->ports.agents.send(core->ports.agents.ctx, link, buf_view(text), NULL, NULL, 0);
}

static bool encode_resume(struct core *core, const struct claim *claim, struct buf *out) {
    if (core->settings.resume_secret.len != SECRET_LEN) return false;
    struct resume resume = {.tunnel_id = view_from_cstr(claim->tunnel_id),
                            .owner = view_from_cstr(claim->owner),
                            .epoch = claim->epoch,
                            .expires_ms = core_wall_ms(core) + core->settings.resume_ttl_ms};
    return resume_encode(out, &resume, (const unsigned char *)core->settings.resume_secret.ptr);
}

/* Whole ones; 1 at least, as 0 says nothing. */
static uint64_t token_seconds(const struct core *core, const struct member *member) {
    uint64_t now = core_wall_ms(core);
    if (!member->until_ms) return 0;
    return member->until_ms >= now + 1000 ? (member->until_ms - now) / 1000 : 1;
}

static void send_established(struct core *core, const struct claim *claim, bool has_policy) {
    struct buf subdomain, path, resume, text;
    buf_init(&subdomain, 1024);
    buf_init(&path, 1024);
    buf_init(&resume, RESUME_TOKEN_MAX);
    buf_init(&text, 8192);
    struct view id = view_from_cstr(claim->tunnel_id);
    if (core->settings.path_routing) urls_path(&path, &core->settings, id);
    if (core->settings.subdomain_routing) urls_subdomain(&subdomain, &core->settings, id);
    if (claim->member.capabilities & V1_CAP_RESUME) encode_resume(core, claim, &resume);
    struct v1_established established = {
        .connection_id = view_from_cstr(claim->member.link.connection),
        .tunnel_id = id,
        .public_url = subdomain.len ? buf_view(&subdomain) : buf_view(&path),
        .subdomain_url = buf_view(&subdomain),
        .path_based_url = buf_view(&path),
        .resume = buf_view(&resume),
        .capabilities = (claim->member.capabilities & ~(unsigned)V1_CAP_DOMAINS) |
                        (has_policy ? V1_CAP_POLICY : 0) |
                        (core->settings.custom_domains ? V1_CAP_DOMAINS : 0),
        .heartbeat_s = core->settings.heartbeat_ms / 1000,
        .token_s = token_seconds(core, &claim->member),
    };
    v1_encode_established(&text, &established);
    send_text(core, &claim->member.link, &text);
    buf_done(&subdomain);
    buf_done(&path);
    buf_done(&resume);
    buf_done(&text);
}

static void on_ready_stored(void *target, uint64_t ticket, enum status status) {
    (void)ticket;
    struct message *message = target;
    struct core *core = message->operation.core;
    if (status == STATUS_OK)
        send_established(core, &message->claim, message->has_policy);
    else if (status == STATUS_CONFLICT)
        link_taken_over(core, &message->claim.member.link);
    message_end(message, status);
}

static void on_connection(void *target, uint64_t ticket, enum status status, const struct claim *claim,
                          struct view options) {
    (void)ticket;
    struct message *message = target;
    struct core *core = message->operation.core;
    if (status != STATUS_OK) {
        message_end(message, status);
        return;
    }
    message->claim = *claim;
    message->has_policy = options.len > 0;
    message->claim.member.state = CLAIM_READY;
    message->claim.member.changed_ms = core_wall_ms(core);
    unsigned known = V1_CAP_RESUME | V1_CAP_CHUNKS | V1_CAP_INDEX;
    if (claim->member.link.protocol == LINK_V2) known |= V1_CAP_UPGRADES;
    message->claim.member.capabilities = message->capabilities & known;
    if (core->settings.resume_secret.len != SECRET_LEN)
        message->claim.member.capabilities &= ~(unsigned)V1_CAP_RESUME;
    uint64_t timeout = message->request_timeout_ms;
    if (timeout > core->settings.request_timeout_max_ms) timeout = core->settings.request_timeout_max_ms;
    message->claim.member.request_timeout_ms = (uint32_t)timeout;
    struct claim_write write = {.claim = &message->claim,
                                .expected_epoch = claim->epoch,
                                .expected_states = CLAIM_CONNECTING | CLAIM_READY,
                                .options = options};
    core->ports.registry.store(core->ports.registry.ctx, &write, on_ready_stored, message, 0);
}

static void on_ready(struct message *message, const struct v1_message *ready) {
    struct registry *registry = &message->operation.core->ports.registry;
    message->capabilities = ready->capabilities;
    message->request_timeout_ms = ready->request_timeout_ms;
    registry->lookup_connection(registry->ctx, view_from_cstr(message->connection_id), on_connection, message,
                                0);
}

/* ---- answers ---- */

static void on_completed(void *target, uint64_t ticket, enum status status) {
    (void)ticket;
    struct message *message = target;
    if (status == STATUS_NOT_FOUND)
        log_from(LOG_LEVEL_INFO, "core", view_from_cstr(message->connection_id),
                 "an answer to a request that is not (or no more) its own was dropped");
    message_end(message, status);
}

/* `answer` moves. */
static void on_answer(struct message *message, struct v1_message *answer) {
    struct mailbox *mailbox = &message->operation.core->ports.mailbox;
    mailbox->complete(mailbox->ctx, answer->request_id, view_from_cstr(message->connection_id), answer,
                      on_completed, message, 0);
}

static void on_error(struct message *message, struct v1_message *error) {
    if (error->request_id.len > 0) {
        on_answer(message, error);
        return;
    }
    log_from(LOG_LEVEL_INFO, "core", view_from_cstr(message->connection_id), "it says: %.*s: %.*s",
             VIEW_ARG(error->code), VIEW_ARG(error->message));
    v1_message_free(error);
    end_later(message, STATUS_OK);
}

static void on_malformed(struct message *message, enum status status) {
    log_from(LOG_LEVEL_WARN, "core", view_from_cstr(message->connection_id),
             "a malformed message was dropped");
    end_later(message, status);
}

/* ---- answers in pieces ---- */

/* What pieces joined to must be the answer to the request that they were sent for. */
static void on_joined(struct message *message, struct view request_id, struct view text) {
    enum status status;
    size_t body_max = message->operation.core->settings.v1_body_bytes;
    struct v1_message *answer = v1_answer_parse(text, request_id, body_max, &status);
    if (answer) {
        on_answer(message, answer);
        return;
    }
    chunks_reopen(&message->operation.core->chunks, view_from_cstr(message->connection_id), request_id);
    on_malformed(message, status);
}

static void on_chunk(struct message *message, const struct v1_message *parsed) {
    struct core *core = message->operation.core;
    struct mailbox *mailbox = &core->ports.mailbox;
    struct view sender = view_from_cstr(message->connection_id);
    if (mailbox->complete_part) {
        mailbox->complete_part(mailbox->ctx, parsed->request_id, sender, &parsed->chunk, on_completed,
                               message, 0);
        return;
    }
    struct buf text;
    buf_init(&text, core_message_max(core));
    switch (chunks_add(&core->chunks, sender, parsed->request_id, &parsed->chunk, core_now_ms(core), &text)) {
    case CHUNK_COMPLETE: on_joined(message, parsed->request_id, buf_view(&text)); break;
    case CHUNK_REFUSED: on_malformed(message, STATUS_INVALID); break;
    case CHUNK_MORE:
    case CHUNK_REPEATED: end_later(message, STATUS_OK); break;
    }
    buf_done(&text);
}

static void send_pong(struct message *message) {
    struct link link = {.gateway = ""};
    memcpy(link.connection, message->connection_id, sizeof(link.connection));
    struct buf text;
    buf_init(&text, 64);
    v1_encode_pong(&text);
    send_text(message->operation.core, &link, &text);
    buf_done(&text);
}

static void on_parsed(struct message *message, struct v1_message *parsed) {
    switch (parsed->type) {
    case V1_HTTP_RESPONSE: on_answer(message, parsed); return;
    case V1_ERROR: on_error(message, parsed); return;
    case V1_READY: on_ready(message, parsed); break;
    case V1_PING:
        send_pong(message);
        end_later(message, STATUS_OK);
        break;
    case V1_PONG: end_later(message, STATUS_OK); break;
    case V1_CHUNK: on_chunk(message, parsed); break;
    default:
        log_debug("core", "connection %s: a message of an unknown type was ignored", message->connection_id);
        end_later(message, STATUS_OK);
        break;
    }
    v1_message_free(parsed);
}

void core_message(struct core *core, struct view connection_id, struct view text, core_done_fn *done,
                  void *ctx) {
    struct message *message = heap_alloc_owed(sizeof(*message));
    message->done = done;
    message->ctx = ctx;
    task_init(&message->task, on_task);
    operation_start(core, &message->operation, message_drop);
    if (!view_copy_to(connection_id, message->connection_id, sizeof(message->connection_id))) {
        end_later(message, STATUS_INVALID);
        return;
    }
    enum status status;
    struct v1_message *parsed = v1_message_parse(text, core->settings.v1_body_bytes, &status);
    if (parsed)
        on_parsed(message, parsed);
    else
        on_malformed(message, status);
}
