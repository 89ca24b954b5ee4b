/* See login_oidc.h. */
#include "login_oidc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "base/regular_file.h"
#include "failure.h"
#include "oidc/oidc_state.h"
#include "user_dir.h"

#define SCOPE "openid offline_access"
#define DEVICE_GRANT "urn:ietf:params:oauth:grant-type:device_code"
#define STATE_MAX ((size_t)32 * 1024)

static uint64_t now_s(void) {
    return (uint64_t)time(NULL);
}

/* ---- asking ---- */

struct answer {
    struct buf body;
    int status; /* 0: none */
    char error[ISSUER_WHY_MAX];
};

static void ask(struct answer *answer, const char *url, struct view form, const char *ca_file) {
    buf_init(&answer->body, HTTPS_ANSWER_MAX);
    answer->status = https_ask(url, form, ca_file, &answer->body, answer->error, sizeof(answer->error));
}

static void answer_done(struct answer *answer) {
    if (answer->body.len) explicit_bzero((char *)(uintptr_t)buf_view(&answer->body).ptr, answer->body.len);
    buf_done(&answer->body);
}

static bool discover(const char *name, const char *ca_file, struct issuer *ret_issuer) {
    char url[HTTPS_URL_MAX + 64];
    struct answer answer;
    const char *why = NULL;
    size_t len = strlen(name);
    while (len && name[len - 1] == '/') len--;
    snprintf(url, sizeof(url), "%.*s/.well-known/openid-configuration", (int)(len < HTTPS_URL_MAX ? len : 0),
             name);
    ask(&answer, url, (struct view){0}, ca_file);
    bool good = answer.status == 200 && issuer_read(buf_view(&answer.body), name, ret_issuer, &why);
    if (!answer.status) say_failure("the issuer %.300s cannot be asked: %s", name, answer.error);
    if (answer.status && !why && !good) say_failure("%.400s answers %d", url, answer.status);
    if (why) say_failure("the issuer %.300s: %s", name, why);
    answer_done(&answer);
    return good;
}

/* ---- the device grant ---- */

static bool begin(const struct options *options, const struct issuer *issuer, struct issuer_device *device) {
    struct answer answer;
    struct buf form;
    char why[ISSUER_WHY_MAX] = "";
    buf_init(&form, 8192);
    issuer_form_add(&form, "client_id", options->client_id);
    issuer_form_add(&form, "scope", options->oidc_scope ? options->oidc_scope : SCOPE);
    ask(&answer, issuer->device_url, buf_view(&form), options->ca_file);
    bool good = answer.status && issuer_device_read(answer.status, buf_view(&answer.body), device, why);
    if (!good) say_failure("the issuer gives no code: %s", answer.status ? why : answer.error);
    answer_done(&answer);
    buf_done(&form);
    return good;
}

static enum issuer_word poll_once(const struct options *options, const struct issuer *issuer,
                                  const struct issuer_device *device, struct issuer_grant *grant,
                                  char why[ISSUER_WHY_MAX]) {
    struct answer answer;
    struct buf form;
    buf_init(&form, 8192);
    issuer_form_add(&form, "grant_type", DEVICE_GRANT);
    issuer_form_add(&form, "device_code", device->code);
    issuer_form_add(&form, "client_id", options->client_id);
    ask(&answer, issuer->token_url, buf_view(&form), options->ca_file);
    /* RFC 8628 3.5: one that was not answered is asked less often */
    enum issuer_word word = ISSUER_WAITS_LONGER;
    if (answer.status && answer.status < 500)
        word = issuer_grant_read(answer.status, buf_view(&answer.body), options->oidc, grant, why);
    answer_done(&answer);
    buf_done(&form);
    return word;
}

static bool wait_for_user(const struct options *options, const struct issuer *issuer,
                          struct issuer_device *device, struct issuer_grant *grant) {
    char why[ISSUER_WHY_MAX] = "";
    uint64_t end = now_s() + device->life_s;
    fprintf(stderr, "Open %s\nand confirm this code: %s\n", device->url, device->user_code);
    while (now_s() < end) {
        sleep((unsigned)device->interval_s);
        switch (poll_once(options, issuer, device, grant, why)) {
        case ISSUER_GIVES: return true;
        case ISSUER_REFUSES: return say_failure("the issuer refuses: %s", why);
        case ISSUER_WAITS: break;
        case ISSUER_WAITS_LONGER: device->interval_s += 5; break;
        }
    }
    return say_failure("nobody has confirmed the code in time");
}

/* ---- what is kept ---- */

static bool store_state(const char *dir, const struct oidc_state *state) {
    struct buf text;
    char *path = user_path(dir, LOGIN_OIDC_NAME);
    buf_init(&text, STATE_MAX);
    bool stored = path && oidc_state_encode(state, &text) && file_replace(path, buf_view(&text));
    if (!stored) say_failure("%s cannot be written: %s", path ? path : LOGIN_OIDC_NAME, strerror(errno));
    buf_done(&text);
    free(path);
    return stored;
}

static void take_grant(struct oidc_state *state, const struct issuer_grant *grant) {
    state->got_s = now_s();
    state->ends_s = grant->ends_s;
    if (grant->refresh[0]) memcpy(state->refresh, grant->refresh, sizeof(state->refresh));
}

/* As it is found from any folder. */
static bool keep_ca_file(const char *path, struct oidc_state *state) {
    char *whole = path ? realpath(path, NULL) : NULL;
    if (path && !whole) return false;
    bool fits = view_copy_to(view_from_cstr(whole), state->ca_file, sizeof(state->ca_file));
    free(whole);
    return fits;
}

static bool keep(const struct options *options, const char *dir, const struct issuer *issuer,
                 const struct issuer_grant *grant) {
    struct oidc_state state = {.got_s = 0};
    bool fits = view_copy_to(view_from_cstr(options->oidc), state.issuer, sizeof(state.issuer)) &&
                view_copy_to(view_from_cstr(options->client_id), state.client_id, sizeof(state.client_id)) &&
                keep_ca_file(options->ca_file, &state);
    memcpy(state.token_url, issuer->token_url, sizeof(state.token_url));
    take_grant(&state, grant);
    if (!state.refresh[0])
        fprintf(stderr, "The issuer gave nothing to renew the login with: it ends with its token.\n");
    return (fits || say_failure("--oidc, --client-id or --ca-file is too long, or not there any more")) &&
           store_state(dir, &state);
}

bool login_oidc(const struct options *options, const char *dir, char ret_token[TOKEN_MAX + 1]) {
    struct issuer issuer;
    struct issuer_device device;
    struct issuer_grant grant = {.ends_s = 0};
    if (!options->client_id) return say_failure("--oidc wants --client-id, by which the issuer knows ttf");
    if (!https_url_is_sane(view_from_cstr(options->oidc)))
        return say_failure("--oidc wants the issuer's https URL, such as https://login.example.com");
    bool good = discover(options->oidc, options->ca_file, &issuer) && begin(options, &issuer, &device) &&
                wait_for_user(options, &issuer, &device, &grant) && keep(options, dir, &issuer, &grant);
    if (good) memcpy(ret_token, grant.token, TOKEN_MAX + 1);
    explicit_bzero(&grant, sizeof(grant));
    return good;
}

bool login_oidc_command(char *out, size_t size) {
    char path[4096];
    size_t len = sizeof(path);
    return uv_exepath(path, &len) == 0 && !strchr(path, '\'') &&
           snprintf(out, size, "'%s' token", path) < (int)size;
}

/* ---- ttf token ---- */

struct login {
    char *dir, *state_path, *token_path;
    struct oidc_state state;
    char token[TOKEN_MAX + 1];
    uint64_t ends_s; /* of the token; 0: there is none */
};

static bool read_state(struct login *login) {
    char bytes[STATE_MAX];
    FILE *file = login->state_path ? regular_file_open(login->state_path) : NULL;
    if (!file) return say_failure("nobody has logged in at an issuer: ttf login GATEWAY --oidc ISSUER");
    size_t len = fread(bytes, 1, sizeof(bytes), file);
    fclose(file);
    bool good = oidc_state_decode(view_of(bytes, len), &login->state);
    explicit_bzero(bytes, sizeof(bytes));
    return good || say_failure("%s makes no sense: ttf login again", login->state_path);
}

static void read_token(struct login *login) {
    struct token token = {.path = login->token_path};
    char error[512];
    if (!token_refresh(&token, error, sizeof(error)) ||
        !issuer_token_end(token.text, login->state.issuer, &login->ends_s))
        return;
    memcpy(login->token, token.text, sizeof(login->token));
}

/* The state comes first, as what it renews with is good once. A token that was not stored after it is another
 * than the state tells of. */
static bool is_due(const struct login *login) {
    return login->ends_s != login->state.ends_s || oidc_state_is_due(&login->state, now_s());
}

static bool store_renewed(struct login *login, const struct issuer_grant *grant) {
    take_grant(&login->state, grant);
    memcpy(login->token, grant->token, sizeof(login->token));
    return store_state(login->dir, &login->state) &&
           (file_replace(login->token_path, view_from_cstr(login->token)) ||
            say_failure("%s cannot be written: %s", login->token_path, strerror(errno)));
}

/* One that is good is used while the issuer does not answer. */
static bool renew(struct login *login) {
    const struct oidc_state *state = &login->state;
    struct issuer_grant grant = {.ends_s = 0};
    struct answer answer;
    struct buf form;
    char why[ISSUER_WHY_MAX] = "";
    if (!state->refresh[0])
        return now_s() < login->ends_s || say_failure("the login has ended: ttf login again");
    buf_init(&form, STATE_MAX);
    issuer_form_add(&form, "grant_type", "refresh_token");
    issuer_form_add(&form, "refresh_token", state->refresh);
    issuer_form_add(&form, "client_id", state->client_id);
    ask(&answer, state->token_url, buf_view(&form), state->ca_file[0] ? state->ca_file : NULL);
    bool given = answer.status && issuer_grant_read(answer.status, buf_view(&answer.body), state->issuer,
                                                    &grant, why) == ISSUER_GIVES;
    bool good = given ? store_renewed(login, &grant) : now_s() < login->ends_s;
    if (!good && !given)
        say_failure("the issuer does not renew the login (%s): ttf login again",
                    answer.status ? why : answer.error);
    answer_done(&answer);
    buf_done(&form);
    explicit_bzero(&grant, sizeof(grant));
    return good;
}

/* Issuers take each refresh token once: of several ttfs one renews, and the others find what came of it. */
static int lock(const char *dir) {
    char *path = user_path(dir, "login.lock");
    int fd = path ? open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600) : -1;
    while (fd >= 0 && flock(fd, LOCK_EX) != 0 && errno == EINTR) continue;
    free(path);
    return fd;
}

int login_oidc_print(void) {
    static struct login login;
    login.dir = user_dir("XDG_CONFIG_HOME", ".config");
    login.state_path = user_path(login.dir, LOGIN_OIDC_NAME);
    login.token_path = user_path(login.dir, LOGIN_TOKEN_NAME);
    int fd = login.dir ? lock(login.dir) : -1;
    bool good = read_state(&login);
    if (good) read_token(&login);
    good = good && (!is_due(&login) || renew(&login));
    if (good) printf("%s\n", login.token);
    if (fd >= 0) close(fd);
    free(login.dir);
    free(login.state_path);
    free(login.token_path);
    explicit_bzero(&login, sizeof(login));
    return good ? 0 : 1;
}
