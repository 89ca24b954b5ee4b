/* Agents that connect: by a token or a certificate, with a domain of their own, under a name that is or is
 * not theirs; and what the host is told of them. */
#include "auth/domain.h"
#include "handler/core_state.h"
#include "metrics/metrics.h"
#include "test_core_mailbox.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* What came of the last one. */
static struct {
    int status;
    char reason[256], tunnel[64], owner[200], token_id[64];
    uint64_t token_issued_s, until_ms;
    bool by_certificate, took_over;
} outcome;

struct agent {
    const char *connection, *subject, *more; /* of its token; NULL: it has none */
    const char *query;                       /* "name=shop&" */
    const char *domain, *resume;
    struct connect_event event; /* what else there is: a certificate */
};

static void on_outcome(void *ctx, const struct connect_outcome *said) {
    (void)ctx;
    outcome.status = said->status;
    outcome.token_issued_s = said->token_issued_s;
    outcome.until_ms = said->until_ms;
    outcome.by_certificate = said->by_certificate;
    outcome.took_over = said->took_over;
    view_copy_to(view_from_cstr(said->reason), outcome.reason, sizeof(outcome.reason));
    view_copy_to(said->tunnel_id, outcome.tunnel, sizeof(outcome.tunnel));
    view_copy_to(said->owner, outcome.owner, sizeof(outcome.owner));
    view_copy_to(said->token_id, outcome.token_id, sizeof(outcome.token_id));
}

static int connects(struct world *world, const struct agent *agent) {
    struct jwt_settings jwt = {.secret = VIEW(JWT_KEY), .issue_more = agent->more};
    char target[JWT_TOKEN_MAX + 200];
    struct buf token;
    struct arena arena;
    struct headers headers;
    buf_init(&token, JWT_TOKEN_MAX);
    if (agent->subject)
        assert_true(jwt_issue(&jwt, view_from_cstr(agent->subject), wall_ms(world) / 1000, 60, &token));
    snprintf(target, sizeof(target), "/?%s%s%.*s", agent->query ? agent->query : "",
             agent->subject ? "token=" : "", VIEW_ARG(buf_view(&token)));
    buf_done(&token);
    arena_init(&arena, 65536);
    headers_init(&headers, &arena);
    if (agent->domain) headers_add(&headers, VIEW("x-tunnel-domain"), view_from_cstr(agent->domain));
    if (agent->resume) headers_add(&headers, VIEW("x-tunnel-resume"), view_from_cstr(agent->resume));
    struct connect_event event = agent->event;
    event.connection_id = view_from_cstr(agent->connection ? agent->connection : "one");
    event.target = view_from_cstr(target);
    event.headers = &headers;
    memset(&outcome, 0, sizeof(outcome));
    core_connect(world->core, &event, on_outcome, NULL);
    assert_int_equal(outcome.status, 0);
    settle(world);
    arena_done(&arena);
    snprintf(world->tunnel, sizeof(world->tunnel), "%s", outcome.tunnel);
    return outcome.status;
}

static void is_refused(struct world *world, const struct agent *agent, int status, const char *why) {
    if (connects(world, agent) != status || !strstr(outcome.reason, why))
        fail_msg("%d, %s: not %d, %s", outcome.status, outcome.reason, status, why);
}

/* ---- tokens ---- */

static void a_host_is_told_whose_token_it_was(void **state) {
    struct world *world = *state;
    const char *more = "{\"jti\":\"key-7\"}";
    assert_int_equal(connects(world, &(struct agent){.subject = "ann", .more = more, .query = "name=shop&"}),
                     200);
    assert_string_equal(outcome.tunnel, "shop");
    assert_string_equal(outcome.owner, "sub:ann");
    assert_string_equal(outcome.token_id, "key-7");
    assert_int_equal(outcome.token_issued_s, wall_ms(world) / 1000);
    assert_int_equal(outcome.until_ms, (wall_ms(world) / 1000 + 60) * 1000);
    assert_false(outcome.by_certificate || outcome.took_over);
    assert_int_equal(
        connects(world, &(struct agent){.connection = "two", .subject = "ann", .query = "name=shop&"}), 200);
    assert_true(outcome.took_over);
    assert_int_equal(strlen(outcome.token_id), 36); /* one that was made for it */
    is_refused(world, &(struct agent){.connection = "three", .subject = "bob", .query = "name=shop&"}, 409,
               "taken by somebody else");
    assert_string_equal(outcome.tunnel, "shop");
    assert_false(outcome.took_over);
    agent_leaves(world, "two");
    assert_int_equal(
        connects(world, &(struct agent){.connection = "four", .subject = "ann", .query = "name=shop&"}), 200);
    assert_false(outcome.took_over); /* nobody was there */
    assert_string_equal(outcome.reason, "");
}

static void a_token_may_not_bound_what_it_lets_in(void **state) {
    struct world *world = *state;
    world->core->settings.ends_with_token = false;
    assert_int_equal(connects(world, &(struct agent){.subject = "ann"}), 200);
    assert_int_equal(outcome.until_ms, 0);
}

/* ---- certificates ---- */

static void a_certificate_does_as_well(void **state) {
    struct world *world = *state;
    const uint64_t end_ms = wall_ms(world) + 5000;
    struct agent agent = {.query = "name=shop&",
                          .event = {.subject = VIEW("ann"), .subject_end_ms = end_ms, .subject_begin_s = 77}};
    assert_int_equal(connects(world, &agent), 200);
    assert_string_equal(outcome.owner, "sub:ann");
    assert_true(outcome.by_certificate);
    assert_int_equal(outcome.until_ms, end_ms);
    assert_int_equal(outcome.token_issued_s, 77);
    agent.connection = "two";
    agent.subject = "bob"; /* a token comes first */
    is_refused(world, &agent, 409, "taken");
    assert_false(outcome.by_certificate);
    world->core->settings.ends_with_token = false;
    agent.subject = NULL;
    assert_int_equal(connects(world, &agent), 200);
    assert_int_equal(outcome.until_ms, 0);
    is_refused(world, &(struct agent){.event = {.subject_fault = VIEW("it has ended")}}, 401,
               "the certificate is not accepted: it has ended");
    is_refused(world, &(struct agent){.query = ""}, 401, "a token is needed");
}

static void a_subject_by_certificate_has_its_bounds(void **state) {
    struct world *world = *state;
    struct agent agent = {.event = {.subject = VIEW("ann")}};
    world->core->settings.quotas.owner_connects = 1;
    assert_int_equal(connects(world, &agent), 200);
    uint64_t before = metrics_slots[METRIC_QUOTA_REFUSALS + QUOTA_OWNER_CONNECTS - 1];
    is_refused(world, &agent, 429, "connects too often");
    assert_int_equal(metrics_slots[METRIC_QUOTA_REFUSALS + QUOTA_OWNER_CONNECTS - 1], before + 1);
}

static void refusals_are_counted(void **state) {
    struct world *world = *state;
    uint64_t *slots = &metrics_slots[METRIC_AGENT_CONNECTS], before[METRIC_OUTCOME_UNAVAILABLE + 20];
    struct {
        struct agent agent;
        enum metric_outcome outcome;
    } rows[] = {
        {{.subject = "ann", .query = "name=shop&"}, METRIC_OUTCOME_ACCEPTED},
        {{.subject = "ann", .query = "name=-&"}, METRIC_OUTCOME_MALFORMED},
        {{.query = ""}, METRIC_OUTCOME_UNAUTHORIZED},
        {{.subject = "ann", .more = "{\"tunnels\":[]}"}, METRIC_OUTCOME_FORBIDDEN},
        {{.connection = "two", .subject = "bob", .query = "name=shop&"}, METRIC_OUTCOME_NAME_TAKEN},
        {{.connection = "two", .subject = "ann", .more = "{\"max_tunnels\":1}"}, METRIC_OUTCOME_FORBIDDEN},
    };
    world->core->settings.keeps_links = true;
    for (size_t i = 0; i < COUNT(rows); i++) {
        memcpy(before, slots, sizeof(uint64_t) * (METRIC_OUTCOME_UNAVAILABLE + 1));
        connects(world, &rows[i].agent);
        for (size_t k = 0; k <= METRIC_OUTCOME_UNAVAILABLE; k++)
            if (slots[k] - before[k] != (k == rows[i].outcome)) fail_msg("row %zu: %d", i, outcome.status);
        if (i == 0)
            assert_true(connects(world, &(struct agent){.connection = "x",
                                                        .subject = "ann",
                                                        .more = "{\"max_tunnels\":9}"}) == 200);
    }
    assert_non_null(strstr(outcome.reason, "may have 1 tunnels at once"));
}

/* ---- names ---- */

static void who_is_bound_to_names_is_told_which(void **state) {
    struct world *world = *state;
    is_refused(world, &(struct agent){.subject = "ann", .more = "{\"tunnels\":[\"shop\",\"a-*\"]}"}, 403,
               "tunnels named shop a-* (ttf --name)");
    is_refused(world, &(struct agent){.subject = "ann", .more = "{\"tunnels\":[]}"}, 403,
               "its list of tunnels is empty");
}

/* A tunnel that it once had is none of a token that is for others. */
static void what_is_resumed_must_be_its_own(void **state) {
    struct world *world = *state;
    char resume[1024];
    assert_int_equal(connects(world, &(struct agent){.subject = "ann", .query = "name=shop&"}), 200);
    agent_says(world, "one", "{\"type\":\"ready\",\"capabilities\":[\"resume\"]}");
    assert_true(view_copy_to(last_sent(world)->resume, resume, sizeof(resume)));
    agent_leaves(world, "one");
    is_refused(world, &(struct agent){.subject = "ann", .more = "{\"tunnels\":[\"a-*\"]}", .resume = resume},
               403, "tunnels named a-*");
    assert_int_equal(
        connects(world,
                 &(struct agent){.subject = "ann", .more = "{\"tunnels\":[\"other\"]}", .resume = resume}),
        200);
    assert_string_equal(outcome.tunnel, "other");
    assert_int_equal(connects(world, &(struct agent){.connection = "two",
                                                     .subject = "ann",
                                                     .more = "{\"tunnels\":[\"shop\",\"other\"]}",
                                                     .resume = resume}),
                     200);
    assert_string_equal(outcome.tunnel, "shop");
    assert_int_equal(
        connects(world, &(struct agent){.connection = "three", .subject = "bob", .resume = resume}), 200);
    assert_string_not_equal(outcome.tunnel, "shop");
    snprintf(resume, sizeof(resume), "no token of ours");
    assert_int_equal(
        connects(world, &(struct agent){.connection = "four", .subject = "bob", .resume = resume}), 200);
}

/* ---- domains ---- */

static struct {
    proof_done_fn *done;
    void *target;
    uint64_t ticket;
    char domain[100], subject[100];
    bool refuses;
    enum proof proof;
    struct task task;
} proofs;

static void on_proof(struct task *task) {
    (void)task;
    proofs.done(proofs.target, proofs.ticket, proofs.proof);
}

static bool ask_for_proof(void *ctx, struct view domain, struct view subject, proof_done_fn *done,
                          void *target, uint64_t ticket) {
    struct world *world = ctx;
    if (proofs.refuses) return false;
    proofs.done = done;
    proofs.target = target;
    proofs.ticket = ticket;
    task_init(&proofs.task, on_proof);
    tasks_post(&world->tasks, &proofs.task);
    return view_copy_to(domain, proofs.domain, sizeof(proofs.domain)) &&
           view_copy_to(subject, proofs.subject, sizeof(proofs.subject));
}

static const char *query_of(const char *domain) {
    static char query[100];
    char name[DOMAIN_NAME_LEN + 1];
    assert_true(domain_name(view_from_cstr(domain), name));
    snprintf(query, sizeof(query), "name=%s&", name);
    return query;
}

static void a_domain_is_for_whom_the_token_says(void **state) {
    struct world *world = *state;
    const char *domains = "{\"domains\":[\"*.example.com\"],\"tunnels\":[\"shop\"]}";
    struct agent agent = {.subject = "ann", .more = domains, .domain = "app.example.com"};
    agent.query = query_of("app.example.com");
    is_refused(world, &agent, 403, "no domains but its own");
    world->settings.custom_domains = true;
    make_core_anew(world);
    assert_int_equal(connects(world, &agent), 200);
    assert_int_equal(strncmp(outcome.tunnel, "domain-", 7), 0);
    world->heard = STATUS_INVALID;
    assert_true(core_certify(world->core, VIEW("app.example.com"), on_heard, world));
    settle(world);
    assert_int_equal(world->heard, STATUS_OK); /* a certificate may be had for it, */
    assert_true(core_certify(world->core, VIEW("other.example.com"), on_heard, world));
    settle(world);
    assert_int_equal(world->heard, STATUS_NOT_FOUND); /* and for no other */
    agent.connection = "two";
    agent.domain = NULL;
    is_refused(world, &agent, 403, "this name stands for a domain (ttf --domain)");
    agent.domain = "other.example.com"; /* but the name of the first */
    is_refused(world, &agent, 403, "this is no domain that a tunnel can have");
    agent.query = "";
    is_refused(world, &agent, 403, "this is no domain that a tunnel can have");
    agent.query = "name=shop&";
    is_refused(world, &agent, 403, "this is no domain that a tunnel can have");
    agent.domain = "x.localhost"; /* the gateway's own */
    agent.query = query_of("x.localhost");
    is_refused(world, &agent, 403, "this is no domain that a tunnel can have");
    agent.domain = "app.example.org";
    agent.query = query_of("app.example.org");
    is_refused(world, &agent, 403, "this token is not for the domain app.example.org (its claim domains)");
}

static void a_domains_owner_may_say_whose_it_is(void **state) {
    struct world *world = *state;
    struct agent agent = {.subject = "ann", .domain = "app.example.com"};
    agent.query = query_of("app.example.com");
    world->settings.custom_domains = true;
    memset(&proofs, 0, sizeof(proofs));
    make_core_anew(world);
    is_refused(world, &agent, 403, "this token is not for the domain"); /* nobody is asked */
    world->ports.proofs = (struct proofs){world, ask_for_proof};
    make_core_anew(world);
    proofs.proof = PROOF_NONE;
    is_refused(world, &agent, 403, "a TXT record of _ttf.app.example.com says that the domain is yours");
    proofs.proof = PROOF_UNKNOWN;
    is_refused(world, &agent, 503, "_ttf.app.example.com could not be looked up; try again");
    proofs.refuses = true;
    is_refused(world, &agent, 503, "out of memory");
    proofs.refuses = false;
    proofs.proof = PROOF_HOLDS;
    assert_int_equal(connects(world, &agent), 200);
    assert_string_equal(proofs.domain, "app.example.com");
    assert_string_equal(proofs.subject, "ann");
    agent.more = "{\"domains\":[\"*.example.org\"]}"; /* this one may have those, and no others */
    agent.connection = "two";
    is_refused(world, &agent, 403, "this token is not for the domain");
    world->core->settings.require_auth = false;
    agent.subject = NULL; /* nobody's word for nobody */
    is_refused(world, &agent, 403, "this token is not for the domain");
}

#define AUTH(test) TEST_IN(set_up_auth, test)

int main(void) {
    const struct CMUnitTest tests[] = {
        AUTH(a_host_is_told_whose_token_it_was),
        AUTH(a_token_may_not_bound_what_it_lets_in),
        AUTH(a_certificate_does_as_well),
        AUTH(a_subject_by_certificate_has_its_bounds),
        AUTH(refusals_are_counted),
        AUTH(who_is_bound_to_names_is_told_which),
        AUTH(what_is_resumed_must_be_its_own),
        AUTH(a_domain_is_for_whom_the_token_says),
        AUTH(a_domains_owner_may_say_whose_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
