/* An agent wants to connect: which tunnel may it have? All that is refused is refused here, because API
 * Gateway shows headers to $connect only. The claim is written by compare-and-set; who loses a race looks
 * again. */
#include <stdio.h>
#include <stdlib.h>

#include "auth/domain.h"
#include "auth/resume.h"
#include "base/heap.h"
#include "base/hex.h"
#include "base/ids.h"
#include "base/log.h"
#include "handler/core_state.h"
#include "http/uri.h"
#include "metrics/metrics.h"
#include "policy/policy.h"

enum { ATTEMPTS_MAX = 8 };
#define REASON_MAX 200

struct refusal {
    int status;
    const char *reason; /* lives as long as the connect */
};

struct connect {
    struct operation operation;
    struct task task;       /* of a refusal that needs no store */
    struct refusal refusal; /* status 0: none */
    core_connect_fn *done;
    void *ctx;
    unsigned attempts;
    char name[TUNNEL_NAME_MAX + 1];      /* claimed by the agent; "" if none */
    char resume_id[TUNNEL_NAME_MAX + 1]; /* proven by its resume token; "" if none */
    uint64_t epoch_floor;
    char token_id[JWT_ID_MAX + 1];
    uint64_t token_issued_s;
    bool by_certificate;
    struct allowance_names names;  /* of its token */
    bool has_domain;               /* its name is made of a domain that it brings */
    char to_prove[DOMAIN_MAX + 1]; /* a domain that its token does not speak of; "": none */
    char reason[REASON_MAX];       /* of a refusal that names something */
    char *options;                 /* who may visit (policy.h); NULL: everybody */
    struct claim claim;            /* what is to be written */
    struct claim earlier;          /* what stood there; epoch 0 if nothing */
};

static void connect_free(struct connect *connect) {
    task_cancel(&connect->task);
    free(connect->options);
    free(connect);
}

static void connect_drop(struct operation *operation) {
    connect_free(LIST_ENTRY(operation, struct connect, operation));
}

static void count_outcome(int status) {
    enum metric_outcome outcome = METRIC_OUTCOME_UNAVAILABLE;
    switch (status) {
    case 200: outcome = METRIC_OUTCOME_ACCEPTED; break;
    case 400: outcome = METRIC_OUTCOME_MALFORMED; break;
    case 401: outcome = METRIC_OUTCOME_UNAUTHORIZED; break;
    case 403: outcome = METRIC_OUTCOME_FORBIDDEN; break;
    case 429: outcome = METRIC_OUTCOME_FORBIDDEN; break;
    case 409: outcome = METRIC_OUTCOME_NAME_TAKEN; break;
    }
    metrics_add(METRIC_AGENT_CONNECTS, outcome, 1);
}

static bool is_live(const struct claim *claim) {
    return claim->epoch > 0 && claim->member.state != CLAIM_OFFLINE;
}

static struct connect_outcome outcome_of(const struct connect *connect, int status, const char *reason) {
    const struct claim *claim = &connect->claim;
    const char *name = claim->tunnel_id[0] ? claim->tunnel_id : connect->name;
    return (struct connect_outcome){.status = status,
                                    .reason = reason,
                                    .tunnel_id = view_from_cstr(name),
                                    .owner = view_from_cstr(claim->owner),
                                    .token_id = view_from_cstr(connect->token_id),
                                    .token_issued_s = connect->token_issued_s,
                                    .by_certificate = connect->by_certificate,
                                    .until_ms = claim->member.until_ms,
                                    .took_over = status == 200 && is_live(&connect->earlier)};
}

static void connect_finish(struct connect *connect, int status, const char *reason) {
    struct connect_outcome outcome = outcome_of(connect, status, reason);
    count_outcome(status);
    if (status != 200)
        owner_let_go(connect->operation.core, view_from_cstr(connect->claim.member.link.connection));
    operation_end(&connect->operation);
    connect->done(connect->ctx, &outcome);
    connect_free(connect);
}

/* ---- what the agent says of itself ---- */

static bool origin_allowed(const struct core *core, struct view origin) {
    for (size_t i = 0; i < core->settings.allowed_origins_count; i++)
        if (view_eq(core->settings.allowed_origins[i], origin)) return true;
    return false;
}

static struct view parameter(const struct connect_event *event, struct arena *arena, struct view name) {
    struct target target;
    if (!target_parse(event->target, &target) || !target.query.ptr) return (struct view){0};
    return query_get(target.query, name, arena);
}

/* A header, or the query parameter of a client that cannot set headers. */
static struct view said(const struct connect_event *event, struct arena *arena, struct view header,
                        struct view name) {
    struct view value = headers_get(event->headers, header);
    return value.ptr ? view_trim(value) : parameter(event, arena, name);
}

/* What people take for the gateway's own, and what a browser may show as something else (IDNA). */
static bool is_guarded(const struct core_settings *settings, struct view name) {
    static const char *const names[] = {"www", "admin", "api", "localhost"};
    bool is_taken = name.len > 4 && view_eq_nocase(view_slice(name, 0, 4), VIEW("xn--"));
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        is_taken = is_taken || view_eq_nocase(name, view_from_cstr(names[i]));
    for (size_t i = 0; is_taken && i < settings->allowed_names_count; i++)
        if (view_eq_nocase(name, settings->allowed_names[i])) return false;
    return is_taken && settings->guards_names;
}

static struct refusal read_name(struct connect *connect, struct view name) {
    if (!name.ptr || name.len == 0) return (struct refusal){0};
    if (!host_is_tunnel_label(name))
        return (struct refusal){
            400, "a tunnel's name has 3 to 63 characters of a-z, 0-9 and '-', no '-' at either end"};
    if (is_guarded(&connect->operation.core->settings, name))
        return (struct refusal){403, "this name is not given away here (its setting allowed-names would)"};
    view_copy_to(name, connect->name, sizeof(connect->name));
    return (struct refusal){0};
}

/* A domain of its own, whose name it has asked for. */
static struct refusal read_domain(struct connect *connect, struct view domain) {
    const struct core *core = connect->operation.core;
    struct view name = view_from_cstr(connect->name);
    struct arena arena;
    if (!domain.ptr && !domain_is_name(name)) return (struct refusal){0};
    if (!domain.ptr) return (struct refusal){403, "this name stands for a domain (ttf --domain)"};
    if (!core->settings.custom_domains)
        return (struct refusal){403, "this gateway has no domains but its own (its setting custom-domains)"};
    arena_init(&arena, 4096);
    connect->has_domain = view_eq(route_custom_name(&core->names, domain, &arena), name) && name.len;
    arena_done(&arena);
    if (!connect->has_domain)
        return (struct refusal){403, "this is no domain that a tunnel can have: a host name of the "
                                     "gateway's own, or none"};
    if (allowance_has_domain(&connect->names, domain)) return (struct refusal){0};
    bool may_prove = core->ports.proofs.ask && !connect->names.says_domains && connect->claim.owner[0];
    if (may_prove && view_copy_to(domain, connect->to_prove, sizeof(connect->to_prove)))
        return (struct refusal){0};
    snprintf(connect->reason, sizeof(connect->reason),
             "this token is not for the domain %.100s (its claim domains)", domain.ptr);
    return (struct refusal){403, connect->reason};
}

/* Rules that we do not know are refused: nobody is let in because this gateway is older than the agent. */
static struct refusal read_policy(struct connect *connect, struct view policy) {
    if (!policy.ptr) return (struct refusal){0};
    if (policy_fault(policy, connect->reason, sizeof(connect->reason)))
        return (struct refusal){400, connect->reason};
    if ((policy_takes(policy) & POLICY_TAKES_TOKEN) && !connect->operation.core->settings.require_auth)
        return (struct refusal){400, "this gateway knows no tokens, so nobody could visit a private tunnel"};
    if (!claim_options_valid(policy) || !claim_options_keep(&connect->options, policy))
        return (struct refusal){503, "out of memory"};
    return (struct refusal){0};
}

/* ---- quotas ---- */

static size_t tunnels_most(const struct connect *connect) {
    size_t most = connect->names.tunnels;
    return most ? most : connect->operation.core->settings.quotas.owner_tunnels;
}

static struct refusal over_quota(struct connect *connect, enum quota quota) {
    metrics_add(METRIC_QUOTA_REFUSALS, quota - 1, 1);
    switch (quota) {
    case QUOTA_OWNER_CONNECTS: return (struct refusal){429, "this token's subject connects too often"};
    case QUOTA_OWNER_NEW_TUNNELS:
        return (struct refusal){429, "this subject has begun as many tunnels as it may within a day"};
    case QUOTA_TOKEN_NAMES:
        if (!connect->names.text[0])
            return (struct refusal){403, "this token is for no tunnel: its list of tunnels is empty"};
        snprintf(connect->reason, sizeof(connect->reason),
                 "this token is for tunnels named %.150s(ttf --name)", connect->names.text);
        return (struct refusal){403, connect->reason};
    default:
        snprintf(connect->reason, sizeof(connect->reason),
                 "this token's subject may have %zu tunnels at once, and has them", tunnels_most(connect));
        return (struct refusal){429, connect->reason};
    }
}

/* Who asks for none gets the one that his token is for, if it is for one. */
static struct refusal check_names(struct connect *connect) {
    const struct allowance_names *names = &connect->names;
    if (!names->is_bound || connect->has_domain) return (struct refusal){0};
    if (!allowance_has(names, view_from_cstr(connect->resume_id))) connect->resume_id[0] = '\0';
    struct view only = allowance_only_name(names);
    struct refusal refusal = {0};
    if (!connect->name[0] && !connect->resume_id[0]) refusal = read_name(connect, only);
    bool may = connect->resume_id[0] || allowance_has(names, view_from_cstr(connect->name));
    return refusal.status || may ? refusal : over_quota(connect, QUOTA_TOKEN_NAMES);
}

/* The token of the Authorization field, or of the query. */
static struct refusal find_token(const struct connect_event *event, struct arena *arena,
                                 struct view *ret_token) {
    static const struct view scheme = {"Bearer ", 7};
    struct view field = headers_get(event->headers, VIEW("authorization"));
    if (headers_count(event->headers, VIEW("authorization")) > 1)
        return (struct refusal){401, "there is more than one Authorization field"};
    if (field.ptr && !view_eq_nocase(view_slice(field, 0, scheme.len), scheme))
        return (struct refusal){401, "the Authorization is not a Bearer token"};
    *ret_token = field.ptr ? view_trim(view_skip(field, scheme.len)) : parameter(event, arena, VIEW("token"));
    return (struct refusal){0};
}

static struct refusal own(struct connect *connect, struct view subject) {
    snprintf(connect->claim.owner, sizeof(connect->claim.owner), "sub:%.*s", VIEW_ARG(subject));
    if (!subject_may_connect(connect->operation.core, view_from_cstr(connect->claim.owner)))
        return over_quota(connect, QUOTA_OWNER_CONNECTS);
    return (struct refusal){0};
}

/* Who shows no token may have shown a certificate when it connected. */
static struct refusal by_certificate(struct connect *connect, const struct connect_event *event) {
    bool ends = connect->operation.core->settings.ends_with_token;
    if (event->subject.len) {
        connect->claim.member.until_ms = ends ? event->subject_end_ms : 0;
        connect->token_issued_s = event->subject_begin_s;
        connect->by_certificate = true;
        return own(connect, event->subject);
    }
    if (!event->subject_fault.len)
        return (struct refusal){401, "a token is needed (ttf --token, or TTF_TOKEN)"};
    snprintf(connect->reason, sizeof(connect->reason), "the certificate is not accepted: %.120s",
             event->subject_fault.ptr);
    return (struct refusal){401, connect->reason};
}

/* When what was let in with it ends. One that came within the leeway has it to its end. */
static uint64_t token_end_ms(const struct core_settings *settings, const struct jwt_claims *claims,
                             uint64_t now_ms) {
    uint64_t end_ms = claims->expires_s * 1000;
    if (!settings->ends_with_token) return 0;
    return end_ms > now_ms ? end_ms : end_ms + settings->jwt.leeway_s * 1000;
}

/* Whose token is it? Its subject owns what it claims. */
static struct refusal authenticate(struct connect *connect, const struct connect_event *event,
                                   struct arena *arena) {
    struct core *core = connect->operation.core;
    struct jwt_claims claims;
    struct view token;
    const char *reason = "";
    if (!core->settings.require_auth) return (struct refusal){0};
    struct refusal refusal = find_token(event, arena, &token);
    if (refusal.status) return refusal;
    if (!token.len) return by_certificate(connect, event);
    uint64_t now_ms = core_wall_ms(core);
    if (!jwt_check(&core->settings.jwt, token, now_ms / 1000, &claims, &reason))
        return (struct refusal){claims.try_again ? 503 : 401, reason};
    connect->claim.member.until_ms = token_end_ms(&core->settings, &claims, now_ms);
    memcpy(connect->token_id, claims.id, sizeof(connect->token_id));
    connect->token_issued_s = claims.issued_s;
    connect->claim.member.allowance = claims.allowance;
    connect->names = claims.names;
    return own(connect, view_from_cstr(claims.subject));
}

/* One of another subject (somebody else's, or from before tokens were asked for) proves nothing. */
static bool resume_is_own(const struct connect *connect, struct view owner) {
    return !connect->claim.owner[0] || view_eq(owner, view_from_cstr(connect->claim.owner));
}

static void read_resume(struct connect *connect, struct view token) {
    struct core *core = connect->operation.core;
    char storage[RESUME_TOKEN_MAX];
    struct resume resume;
    if (!token.ptr || core->settings.resume_secret.len != SECRET_LEN) return;
    const unsigned char *key = (const unsigned char *)core->settings.resume_secret.ptr;
    if (!resume_decode(token, key, core_wall_ms(core), storage, &resume)) {
        log_info("core", "a resume token was not accepted (signed with another secret, or expired)");
        return;
    }
    if (connect->name[0] && !view_eq(resume.tunnel_id, view_from_cstr(connect->name))) return;
    if (!host_is_tunnel_label(resume.tunnel_id)) return;
    if (domain_is_name(resume.tunnel_id) && !connect->has_domain) return; /* it may have lost it */
    if (!resume_is_own(connect, resume.owner)) return;
    if (!view_copy_to(resume.owner, connect->claim.owner, sizeof(connect->claim.owner))) return;
    view_copy_to(resume.tunnel_id, connect->resume_id, sizeof(connect->resume_id));
    connect->epoch_floor = resume.epoch;
}

static void new_owner(struct connect *connect) {
    unsigned char random[16];
    connect->operation.core->ports.ids.random(random, sizeof(random));
    char *out = connect->claim.owner;
    memcpy(out, "anon:", 5);
    *hex_print(out + 5, random, sizeof(random)) = '\0';
}

static struct refusal read_event(struct connect *connect, const struct connect_event *event) {
    struct core *core = connect->operation.core;
    struct view origin = headers_get(event->headers, VIEW("origin"));
    if (origin.ptr && !origin_allowed(core, origin))
        return (struct refusal){403, "a browser's Origin may not connect as an agent here"};
    if (!view_copy_to(event->connection_id, connect->claim.member.link.connection,
                      sizeof(connect->claim.member.link.connection)) ||
        !view_copy_to(event->gateway, connect->claim.member.link.gateway,
                      sizeof(connect->claim.member.link.gateway)))
        return (struct refusal){400, "the connection's id is too long"};
    connect->claim.member.link.protocol = event->protocol;
    struct arena arena;
    arena_init(&arena, 64 * 1024);
    struct refusal refusal = authenticate(connect, event, &arena);
    if (!refusal.status)
        refusal = read_name(connect, said(event, &arena, VIEW("x-tunnel-name"), VIEW("name")));
    if (!refusal.status) refusal = read_domain(connect, headers_get(event->headers, VIEW("x-tunnel-domain")));
    if (!refusal.status) refusal = read_policy(connect, headers_get(event->headers, VIEW("x-tunnel-policy")));
    if (!refusal.status) read_resume(connect, said(event, &arena, VIEW("x-tunnel-resume"), VIEW("resume")));
    if (!refusal.status) refusal = check_names(connect);
    arena_done(&arena);
    if (!connect->claim.owner[0]) new_owner(connect);
    return refusal;
}

/* ---- the claim ---- */

static void look_up(struct connect *connect);

/* A resumed id first, then the name, then a fresh id. */
static void choose_id(struct connect *connect) {
    char *out = connect->claim.tunnel_id;
    const char *wanted = connect->resume_id[0] ? connect->resume_id : connect->name;
    if (wanted[0])
        memcpy(out, wanted, strlen(wanted) + 1);
    else
        connect->operation.core->ports.ids.tunnel(out);
}

static void taken(struct connect *connect) {
    if (connect->name[0]) {
        connect_finish(connect, 409, "this name is taken by somebody else");
        return;
    }
    connect->resume_id[0] = '\0'; /* somebody else has it now: a tunnel of its own */
    look_up(connect);
}

/* What the administration says of this tunnel and whose it would be; NULL: nothing. */
static const char *denied(const struct connect *connect) {
    const struct denials *denials = &connect->operation.core->ports.denials;
    struct applicant applicant = {.tunnel_id = view_from_cstr(connect->claim.tunnel_id),
                                  .owner = view_from_cstr(connect->claim.owner),
                                  .token_id = view_from_cstr(connect->token_id),
                                  .token_issued_s = connect->token_issued_s};
    return denials->why ? denials->why(denials->ctx, &applicant) : NULL;
}

/* Denied while it was being written: whoever is connected is told, and this one is not yet. */
static bool gives_up(struct connect *connect) {
    const char *reason = denied(connect);
    if (!reason) return false;
    core_disconnect(connect->operation.core, view_from_cstr(connect->claim.member.link.connection), NULL,
                    NULL);
    connect_finish(connect, 403, reason);
    return true;
}

static void on_stored(void *target, uint64_t ticket, enum status status) {
    (void)ticket;
    struct connect *connect = target;
    if (status == STATUS_CONFLICT) {
        look_up(connect);
        return;
    }
    if (status != STATUS_OK) {
        connect_finish(connect, 503, "the registry of tunnels cannot be reached; try again");
        return;
    }
    if (gives_up(connect)) return;
    struct core *core = connect->operation.core;
    /* where another gateway holds it, that one hears of it from its registry */
    bool is_here = strcmp(connect->earlier.member.link.gateway, connect->claim.member.link.gateway) == 0;
    if (is_live(&connect->earlier) && is_here) link_taken_over(core, &connect->earlier.member.link);
    connect_finish(connect, 200, "");
}

/* With what the agent says now: what its last connection wanted of visitors ends with it. */
static void write_claim(struct connect *connect) {
    struct core *core = connect->operation.core;
    struct claim *claim = &connect->claim;
    uint64_t earlier = connect->earlier.epoch;
    claim->epoch = (earlier > connect->epoch_floor ? earlier : connect->epoch_floor) + 1;
    claim->member.epoch = claim->epoch;
    claim->member.state = CLAIM_CONNECTING;
    claim->member.changed_ms = core_wall_ms(core);
    claim->expires_ms =
        core->settings.claim_ttl_ms ? claim->member.changed_ms + core->settings.claim_ttl_ms : UINT64_MAX;
    struct claim_write write = {.claim = claim,
                                .expected_epoch = earlier,
                                .expected_states = CLAIM_CONNECTING | CLAIM_READY | CLAIM_OFFLINE,
                                .options = claim_options_view(connect->options)};
    core->ports.registry.store(core->ports.registry.ctx, &write, on_stored, connect, 0);
}

/* Its owner, who can prove it, may be about to come back to a store that has lost everything. */
static bool name_is_reserved(const struct connect *connect) {
    const struct registry *registry = &connect->operation.core->ports.registry;
    return connect->name[0] && !connect->resume_id[0] && registry->names_reserved &&
           registry->names_reserved(registry->ctx);
}

/* Who proves that a tunnel was his begins none; who takes one over has no more than before. */
static enum quota quota_met(const struct connect *connect, enum status status) {
    struct core *core = connect->operation.core;
    const struct claim *claim = &connect->claim;
    if (status != STATUS_OK && status != STATUS_NOT_FOUND) return QUOTA_NONE;
    bool replaces = status == STATUS_OK && connect->earlier.member.state != CLAIM_OFFLINE;
    if (!owner_hold(core, claim, tunnels_most(connect), replaces)) return QUOTA_OWNER_TUNNELS;
    bool may =
        status == STATUS_OK || connect->resume_id[0] || subject_may_begin(core, view_from_cstr(claim->owner));
    return may ? QUOTA_NONE : QUOTA_OWNER_NEW_TUNNELS;
}

static void connect_over_quota(struct connect *connect, enum quota quota) {
    struct refusal refusal = over_quota(connect, quota);
    connect_finish(connect, refusal.status, refusal.reason);
}

static void on_lookup(void *target, uint64_t ticket, enum status status, const struct claim *claim,
                      struct view options) {
    (void)ticket, (void)options;
    struct connect *connect = target;
    enum quota met;
    connect->earlier = status == STATUS_OK ? *claim : (struct claim){0};
    const char *reason = denied(connect);
    if (reason)
        connect_finish(connect, 403, reason);
    else if (status == STATUS_OK && strcmp(claim->owner, connect->claim.owner) != 0)
        taken(connect);
    else if (status == STATUS_NOT_FOUND && name_is_reserved(connect))
        connect_finish(connect, 503, "names are being given back to those who held them; try again");
    else if ((met = quota_met(connect, status)))
        connect_over_quota(connect, met);
    else if (status == STATUS_OK || status == STATUS_NOT_FOUND)
        write_claim(connect);
    else
        connect_finish(connect, 503, "the registry of tunnels cannot be reached; try again");
}

static void look_up(struct connect *connect) {
    struct registry *registry = &connect->operation.core->ports.registry;
    if (++connect->attempts > ATTEMPTS_MAX) {
        connect_finish(connect, 503, "too many agents want this tunnel at once; try again");
        return;
    }
    choose_id(connect);
    registry->lookup(registry->ctx, view_from_cstr(connect->claim.tunnel_id), on_lookup, connect, 0);
}

/* ---- a domain that its owner speaks for ---- */

static void on_proof(void *target, uint64_t ticket, enum proof proof) {
    struct connect *connect = target;
    (void)ticket;
    if (proof == PROOF_HOLDS) {
        look_up(connect);
        return;
    }
    snprintf(connect->reason, sizeof(connect->reason),
             proof == PROOF_NONE
                 ? "neither this token nor a TXT record of _ttf.%.100s says that the domain is yours"
                 : "the TXT records of _ttf.%.100s could not be looked up; try again",
             connect->to_prove);
    connect_finish(connect, proof == PROOF_NONE ? 403 : 503, connect->reason);
}

static void prove(struct connect *connect) {
    const struct proofs *proofs = &connect->operation.core->ports.proofs;
    struct view subject = view_skip(view_from_cstr(connect->claim.owner), strlen("sub:"));
    if (proofs->ask(proofs->ctx, view_from_cstr(connect->to_prove), subject, on_proof, connect, 0)) return;
    connect->refusal = (struct refusal){503, "out of memory"};
    tasks_post(connect->operation.core->ports.clock.tasks, &connect->task);
}

/* ---- refusals that need no store ---- */

static void on_refused(struct task *task) {
    struct connect *connect = LIST_ENTRY(task, struct connect, task);
    connect_finish(connect, connect->refusal.status, connect->refusal.reason);
}

/* There is no memory for more. */
struct refuse {
    struct operation operation;
    struct task task;
    core_connect_fn *done;
    void *ctx;
};

static void refuse_drop(struct operation *operation) {
    struct refuse *refuse = LIST_ENTRY(operation, struct refuse, operation);
    task_cancel(&refuse->task);
    free(refuse);
}

static void on_refuse(struct task *task) {
    struct refuse *refuse = LIST_ENTRY(task, struct refuse, task);
    struct connect_outcome outcome = {.status = 503, .reason = "out of memory"};
    count_outcome(outcome.status);
    operation_end(&refuse->operation);
    refuse->done(refuse->ctx, &outcome);
    free(refuse);
}

static void refuse_without_memory(struct core *core, core_connect_fn *done, void *ctx) {
    struct refuse *refuse = heap_alloc_owed(sizeof(*refuse));
    refuse->done = done;
    refuse->ctx = ctx;
    operation_start(core, &refuse->operation, refuse_drop);
    task_init(&refuse->task, on_refuse);
    tasks_post(core->ports.clock.tasks, &refuse->task);
}

void core_connect(struct core *core, const struct connect_event *event, core_connect_fn *done, void *ctx) {
    struct connect *connect = calloc(1, sizeof(*connect));
    if (!connect) {
        refuse_without_memory(core, done, ctx);
        return;
    }
    connect->done = done;
    connect->ctx = ctx;
    task_init(&connect->task, on_refused);
    operation_start(core, &connect->operation, connect_drop);
    connect->refusal = read_event(connect, event);
    if (connect->refusal.status)
        tasks_post(core->ports.clock.tasks, &connect->task);
    else if (connect->to_prove[0])
        prove(connect);
    else
        look_up(connect);
}
