/* See visitor_rules.h. */
#include "visitor_rules.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/ids.h"
#include "base/regular_file.h"
#include "base/units.h"
#include "http/chars.h"
#include "policy/policy.h"
#include "policy/policy_hash.h"
#include "policy/webhook.h"

#define PASSWORD_LEAST 8
#define PASSWORD_MOST 256
#define LOGIN_MAX 512
#define SHARE_MOST_MS ((uint64_t)365 * 24 * 3600 * 1000)

struct maker {
    struct buf text;
    const char *what; /* the option */
    char *error;
    size_t error_size;
};

static bool fail(struct maker *maker, const char *why) {
    snprintf(maker->error, maker->error_size, "%s %s", maker->what, why);
    return false;
}

static bool begin(struct maker *maker, const char *rule) {
    return buf_printf(&maker->text, "%s%s=", maker->text.len ? "; " : "", rule);
}

/* ---- passwords ---- */

static const char *credentials_fault(struct view credentials) {
    size_t colon = view_find(credentials, ':');
    if (colon == 0 || colon == credentials.len) return "wants user:password";
    for (size_t i = 0; i < credentials.len; i++)
        if ((unsigned char)credentials.ptr[i] < 0x20 || credentials.ptr[i] == 0x7f)
            return "holds a control character";
    if (credentials.len - colon - 1 < PASSWORD_LEAST) return "wants a password of at least 8 characters";
    return credentials.len < LOGIN_MAX / 2 ? NULL : "is longer than a password may be";
}

static bool add_login(struct maker *maker, struct view credentials, bool *is_first) {
    unsigned char salt[8];
    const char *fault = credentials_fault(credentials);
    if (fault) return fail(maker, fault);
    ids_random(salt, sizeof(salt));
    bool fits = (*is_first ? begin(maker, "basic") : buf_append(&maker->text, ",", 1)) &&
                policy_hash_append(&maker->text, credentials, salt);
    *is_first = false;
    return fits || fail(maker, "names too many users");
}

static struct view line_of(const char *text) {
    struct view line = view_from_cstr(text);
    while (line.len && strchr("\r\n", line.ptr[line.len - 1])) line.len--;
    return line;
}

static bool add_file(struct maker *maker, const char *path, bool *is_first) {
    char text[LOGIN_MAX];
    bool fits = true;
    FILE *file = regular_file_open(path);
    maker->what = "basic-auth-file";
    if (!file) return fail(maker, "cannot be read");
    while (fits && fgets(text, sizeof(text), file)) {
        struct view line = line_of(text);
        if (line.len > 0 && line.ptr[0] != '#') fits = add_login(maker, line, is_first);
    }
    fclose(file);
    OPENSSL_cleanse(text, sizeof(text));
    return fits && (!*is_first || fail(maker, "names nobody"));
}

static bool add_logins(struct maker *maker, const struct tunnel_options *options) {
    bool is_first = true;
    maker->what = "basic-auth";
    return (!options->basic_auth || add_login(maker, view_from_cstr(options->basic_auth), &is_first)) &&
           (!options->basic_auth_file || add_file(maker, options->basic_auth_file, &is_first));
}

static bool add_password(struct maker *maker, struct view password) {
    unsigned char salt[POLICY_SALT_BYTES];
    if (password.len < PASSWORD_LEAST || password.len > PASSWORD_MOST)
        return fail(maker, "wants 8 to 256 characters");
    ids_random(salt, sizeof(salt));
    return (begin(maker, "password") && policy_hash_append(&maker->text, password, salt)) ||
           fail(maker, "has no room beside the other rules");
}

static bool add_password_file(struct maker *maker, const char *path) {
    char text[LOGIN_MAX];
    FILE *file = regular_file_open(path);
    maker->what = "password-file";
    if (!file) return fail(maker, "cannot be read");
    bool fits = add_password(maker, fgets(text, sizeof(text), file) ? line_of(text) : VIEW(""));
    fclose(file);
    OPENSSL_cleanse(text, sizeof(text));
    return fits;
}

static bool add_form(struct maker *maker, const struct tunnel_options *options) {
    maker->what = "password";
    if (options->password_file) return add_password_file(maker, options->password_file);
    return !options->password || add_password(maker, view_from_cstr(options->password));
}

/* ---- webhooks ---- */

static bool add_secret(struct maker *maker, const char *scheme, struct view secret) {
    if (secret.len == 0 || secret.len > POLICY_WEBHOOK_SECRET_MAX)
        return fail(maker, "wants a secret of 1 to 256 bytes");
    maker->what = "verify-webhook";
    if (!webhook_scheme(view_from_cstr(scheme)))
        return fail(maker, "wants github, stripe, slack, twilio, shopify or generic-hmac");
    return (begin(maker, "webhook") && policy_webhook_append(&maker->text, view_from_cstr(scheme), secret)) ||
           fail(maker, "has no room beside the other rules");
}

static bool add_secret_file(struct maker *maker, const char *scheme, const char *path) {
    char text[LOGIN_MAX];
    FILE *file = regular_file_open(path);
    maker->what = "webhook-secret-file";
    if (!file) return fail(maker, "cannot be read");
    bool fits = add_secret(maker, scheme, fgets(text, sizeof(text), file) ? line_of(text) : VIEW(""));
    fclose(file);
    OPENSSL_cleanse(text, sizeof(text));
    return fits;
}

static bool add_webhook(struct maker *maker, const struct tunnel_options *options) {
    const char *scheme = options->verify_webhook, *path = options->webhook_secret_file;
    maker->what = path ? "webhook-secret-file" : "webhook-secret";
    if (!scheme) return !path || fail(maker, "wants --verify-webhook, too");
    if (path) return add_secret_file(maker, scheme, path);
    if (options->webhook_secret) return add_secret(maker, scheme, view_from_cstr(options->webhook_secret));
    maker->what = "verify-webhook";
    return fail(maker, "wants the sender's secret: --webhook-secret-file or TTF_WEBHOOK_SECRET");
}

/* ---- the other rules, whose values are what the policy has ---- */

static bool add_rule(struct maker *maker, const char *rule, const char *value) {
    char why[200];
    struct view said = view_from_cstr(value);
    if (!value) return true;
    maker->what = rule;
    if (view_find(said, ';') < said.len) return fail(maker, "holds a ';', which no rule can");
    size_t from = maker->text.len;
    if (!begin(maker, rule) || !buf_append_view(&maker->text, said)) return fail(maker, "is too long");
    struct view alone = view_skip(buf_view(&maker->text), from ? from + 2 : 0);
    if (!policy_fault(alone, why, sizeof(why))) return true;
    const char *wants = strstr(why, "wants ");
    return fail(maker, wants ? wants : why);
}

/* ---- a link to share ---- */

static bool add_share(struct maker *maker, const char *lasts, struct visitor_rules *rules) {
    uint64_t ms;
    if (!lasts) return true;
    maker->what = "share";
    if (!duration_parse(view_from_cstr(lasts), &ms) || ms < 1000 || ms > SHARE_MOST_MS)
        return fail(maker, "wants a time of at most 365d, such as 30m, 2h or 7d");
    rules->share_s = ms / 1000;
    ids_random(rules->share_key, sizeof(rules->share_key));
    return (begin(maker, "share") && policy_share_append(&maker->text, rules->share_key)) ||
           fail(maker, "has no room beside the other rules");
}

static bool add_all(struct maker *maker, const struct tunnel_options *options, struct visitor_rules *rules) {
    return add_rule(maker, "allow-ip", options->allow_ip) && add_rule(maker, "deny-ip", options->deny_ip) &&
           add_rule(maker, "methods", options->methods) &&
           add_rule(maker, "allow-path", options->allow_path) &&
           add_rule(maker, "deny-path", options->deny_path) && add_share(maker, options->share, rules) &&
           add_logins(maker, options) && add_form(maker, options) &&
           (!options->is_private || add_rule(maker, "private", "on")) && add_webhook(maker, options);
}

bool visitor_rules_make(const struct tunnel_options *options, struct visitor_rules *ret_rules, char *error,
                        size_t error_size) {
    struct maker maker = {.error = error, .error_size = error_size};
    buf_init(&maker.text, POLICY_MAX);
    *ret_rules = (struct visitor_rules){0};
    bool made = add_all(&maker, options, ret_rules);
    if (made && maker.text.len) {
        ret_rules->policy = view_to_cstr(buf_view(&maker.text));
        made = ret_rules->policy != NULL;
        if (!made) snprintf(error, error_size, "out of memory");
    }
    buf_done(&maker.text);
    return made;
}

void visitor_rules_done(struct visitor_rules *rules) {
    free(rules->policy);
    OPENSSL_cleanse(rules, sizeof(*rules));
}
