/* See stored_secrets.h. */
#include "runtime/stored_secrets.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "aws/actions.h"

#define SECRETS 3
#define ANSWER_MAX ((size_t)128 * 1024) /* a secret has 64 KiB at most, a parameter 8 */
#define ATTEMPTS_MAX 3
#define ATTEMPT_MS 1500
#define ALL_MS 5000

static const char *const names[SECRETS] = {"TUNNEL_SECRET", "JWT_SECRET", "JWT_OLDER_SECRET"};

/* Where secrets are kept. */
struct secret_store {
    const char *prefix;
    enum aws_action action;
    const char *target, *answer, *value; /* of the operation; where the secret stands in its answer */
};

static const struct secret_store stores[] = {
    {"ssm:", ACTION_PARAMETER_GET, "AmazonSSM.", "Parameter", "Value"},
    {"secretsmanager:", ACTION_SECRET_GET, "secretsmanager.", NULL, "SecretString"},
};

struct reading {
    struct loop *loop;
    struct secret {
        struct reading *reading;
        const char *name;
        const struct secret_store *store;
        struct aws_call *call;
    } secrets[SECRETS];
    size_t under_way;
    char *why; /* 256; empty: all is well */
};

static const char *source_of(const char *name) {
    char variable[64];
    snprintf(variable, sizeof(variable), "%s_FROM", name);
    const char *source = getenv(variable);
    return source && *source ? source : NULL;
}

static void complain(struct secret *secret, const char *what) {
    struct reading *reading = secret->reading;
    if (!*reading->why) snprintf(reading->why, 256, "%s_FROM: %.200s", secret->name, what);
}

bool stored_secrets_wanted(void) {
    for (size_t i = 0; i < SECRETS; i++)
        if (source_of(names[i])) return true;
    return false;
}

/* ---- what came ---- */

static void take(struct secret *secret, const json_t *root) {
    const struct secret_store *store = secret->store;
    const json_t *object = store->answer ? json_object_get(root, store->answer) : root;
    const char *value = json_string_value(json_object_get(object, store->value));
    if (!value || !*value)
        complain(secret, "there is no text in it");
    else if (setenv(secret->name, value, 1) != 0)
        complain(secret, "out of memory");
}

static void refuse(struct secret *secret, enum status status, const struct aws_answer *answer) {
    char what[200];
    snprintf(what, sizeof(what), "%.*s%s%s", VIEW_ARG(view_slice(answer->error, 0, 100)),
             answer->error.len ? ": " : "", status_text(status));
    complain(secret, what);
}

static void on_answer(void *ctx, enum status status, const struct aws_answer *answer) {
    struct secret *secret = ctx;
    json_t *root = status == STATUS_OK ? json_loadb(answer->body.ptr, answer->body.len, 0, NULL) : NULL;
    secret->call = NULL;
    if (root)
        take(secret, root);
    else
        refuse(secret, status, answer);
    json_decref(root);
    if (--secret->reading->under_way == 0) loop_quit(secret->reading->loop);
}

/* ---- asking ---- */

static json_t *body_of(const struct secret_store *store, const char *id) {
    if (store->action == ACTION_PARAMETER_GET)
        return json_pack("{s:s, s:b}", "Name", id, "WithDecryption", 1);
    const char *version = strrchr(id, '#');
    size_t len = version ? (size_t)(version - id) : strlen(id);
    json_t *body = json_pack("{s:s%}", "SecretId", id, len);
    if (body && version) json_object_set_new(body, "VersionId", json_string(version + 1));
    return body;
}

static bool ask(struct secret *secret, struct aws_client *aws, const char *id) {
    const struct secret_store *store = secret->store;
    struct view service = aws_action_service(store->action);
    char endpoint[AWS_ENDPOINT_MAX], target[80];
    json_t *body = body_of(store, id);
    char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    snprintf(target, sizeof(target), "%s%s", store->target, aws_action_operation(store->action));
    bool good = text && aws_environment_endpoint(aws->environment, service.ptr, endpoint);
    const struct aws_request request = {.service = aws_action_service(store->action),
                                        .endpoint = view_from_cstr(endpoint),
                                        .method = VIEW("POST"),
                                        .path = VIEW("/"),
                                        .content_type = VIEW("application/x-amz-json-1.1"),
                                        .target = view_from_cstr(target),
                                        .body = view_from_cstr(text),
                                        .idempotent = true,
                                        .attempts_max = ATTEMPTS_MAX,
                                        .attempt_ms = ATTEMPT_MS,
                                        .answer_max = ANSWER_MAX};
    if (good) secret->call = aws_call_start(aws, &request, on_answer, secret);
    free(text);
    json_decref(body);
    return good;
}

static const struct secret_store *store_of(const char *source) {
    for (size_t i = 0; i < sizeof(stores) / sizeof(stores[0]); i++)
        if (strncmp(source, stores[i].prefix, strlen(stores[i].prefix)) == 0) return &stores[i];
    return NULL;
}

static void begin(struct secret *secret, struct aws_client *aws) {
    const char *source = source_of(secret->name);
    if (!source) return;
    secret->store = store_of(source);
    const char *id = secret->store ? source + strlen(secret->store->prefix) : "";
    const char *own = getenv(secret->name);
    if (own && *own)
        complain(secret, "the secret itself is set, too");
    else if (!*id)
        complain(secret, "expected ssm:NAME or secretsmanager:ARN");
    else if (ask(secret, aws, id))
        secret->reading->under_way++;
    else
        complain(secret, "it is too long, or memory is out");
}

bool stored_secrets_read(struct aws_client *aws, struct loop *loop, char why[256]) {
    struct reading reading = {.loop = loop, .why = why};
    *why = '\0';
    aws->deadline_ms = loop_now(loop) + ALL_MS;
    for (size_t i = 0; i < SECRETS; i++) {
        reading.secrets[i] = (struct secret){.reading = &reading, .name = names[i]};
        begin(&reading.secrets[i], aws);
    }
    if (!*why && reading.under_way) loop_run(loop);
    for (size_t i = 0; i < SECRETS; i++)
        if (reading.secrets[i].call) aws_call_cancel(reading.secrets[i].call);
    aws->deadline_ms = 0;
    return !*why;
}
