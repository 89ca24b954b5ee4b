/* See secret_file.h. The file comes to be by link(2) of a complete one: of two gateways that start at once,
 * both read the secret of the one that came first. */
#include "config/secret_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "auth/jwt.h"
#include "auth/peer.h"
#include "auth/secret_strength.h"
#include "base/hex.h"
#include "base/ids.h"
#include "base/regular_file.h"

#define SECRET_MIN 16

static bool complain(const char *path, const char *why) {
    fprintf(stderr, "%s: the secret in \"%s\": %s\n", program_name(), path, why);
    return false;
}

/* Without the newline that an editor leaves. errno on failure. */
static bool read_file(const char *path, struct secret_text *out) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    if (file_others_can_write(fd)) {
        close(fd);
        errno = EPERM;
        return false;
    }
    ssize_t len = read(fd, out->bytes, sizeof(out->bytes));
    close(fd);
    if (len > SECRET_TEXT_MAX) errno = EFBIG;
    if (len < 0 || len > SECRET_TEXT_MAX) return false;
    out->len = (size_t)len;
    while (out->len && (out->bytes[out->len - 1] == '\n' || out->bytes[out->len - 1] == '\r')) out->len--;
    return true;
}

static bool write_new(const char *path) {
    unsigned char random[32];
    char text[65], temporary[4200], unique[UUID_LEN + 1];
    ids_random(random, sizeof(random));
    ids_uuid4(unique);
    *hex_print(text, random, sizeof(random)) = '\0';
    if (snprintf(temporary, sizeof(temporary), "%s.%s", path, unique) >= (int)sizeof(temporary)) return false;
    int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) return false;
    bool written = write(fd, text, 64) == 64 && fsync(fd) == 0;
    close(fd);
    bool linked = written && (link(temporary, path) == 0 || errno == EEXIST);
    int error = errno;
    unlink(temporary);
    errno = error;
    return linked;
}

bool config_state_path(const struct config *config, const char *name, char out[STATE_PATH_MAX]) {
    const char *xdg = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    int len;
    if (config->state_dir)
        len = snprintf(out, STATE_PATH_MAX, "%s/%s", config->state_dir, name);
    else if (xdg && *xdg)
        len = snprintf(out, STATE_PATH_MAX, "%s/ttf-gateway/%s", xdg, name);
    else
        len =
            snprintf(out, STATE_PATH_MAX, "%s/.local/state/ttf-gateway/%s", home && *home ? home : ".", name);
    return len > 0 && len < STATE_PATH_MAX;
}

bool config_state_folder(const struct config *config) {
    char path[STATE_PATH_MAX];
    return config_state_path(config, "x", path) && file_make_folders(path, 0700);
}

static bool read_or_make(const struct config *config, struct secret_text *out) {
    char path[STATE_PATH_MAX];
    if (!config_state_path(config, "secret", path)) return complain(path, "the path is too long");
    if (read_file(path, out)) return out->len >= SECRET_MIN || complain(path, "it has fewer than 16 bytes");
    if (errno != ENOENT) return complain(path, file_problem(errno));
    if (!file_make_folders(path, 0700) || !write_new(path) || !read_file(path, out))
        return complain(path, file_problem(errno));
    return true;
}

static bool keep_given(const char *given, const char *name, struct secret_text *out) {
    out->len = strlen(given);
    if (out->len > SECRET_TEXT_MAX) return complain(name, "it is too long");
    memcpy(out->bytes, given, out->len);
    return true;
}

bool secret_load_text(const struct config *config, struct secret_text *ret_secret) {
    const char *path = config->secret_file;
    if (config->secret) return keep_given(config->secret, "TUNNEL_SECRET", ret_secret);
    if (!path) return read_or_make(config, ret_secret);
    if (!read_file(path, ret_secret)) return complain(path, file_problem(errno));
    return ret_secret->len >= SECRET_MIN || complain(path, "it has fewer than 16 bytes");
}

bool secret_keys_derive(struct view secret, struct secret_keys *ret_keys) {
    return secret_derive(secret, VIEW("resume"), ret_keys->resume) &&
           secret_derive(secret, VIEW(PEER_KEY_LABEL), ret_keys->peer) &&
           secret_derive(secret, VIEW("ticket"), ret_keys->ticket) &&
           secret_derive(secret, VIEW("seal"), ret_keys->seal);
}

bool secret_load(const struct config *config, struct secret_keys *ret_keys) {
    struct secret_text text;
    bool derived =
        secret_load_text(config, &text) && secret_keys_derive(view_of(text.bytes, text.len), ret_keys);
    explicit_bzero(&text, sizeof(text));
    return derived;
}

/* False after saying what is wrong with it. */
static bool judge_jwt(const struct secret_text *secret, const char *name) {
    const char *weakness = secret->len < JWT_SECRET_MIN
                               ? "it has fewer than 32 bytes"
                               : secret_weakness(view_of(secret->bytes, secret->len));
    return !weakness || complain(name, weakness);
}

static bool load_jwt_file(const char *path, struct secret_text *ret_secret) {
    ret_secret->len = 0;
    return (read_file(path, ret_secret) || complain(path, file_problem(errno))) &&
           judge_jwt(ret_secret, path);
}

bool secret_load_jwt(const struct config *config, struct secret_text *ret_secret) {
    if (config->jwt_secret_file) return load_jwt_file(config->jwt_secret_file, ret_secret);
    return keep_given(config->jwt_secret ? config->jwt_secret : "", "JWT_SECRET", ret_secret) &&
           judge_jwt(ret_secret, "JWT_SECRET");
}

static bool load_listed(struct view path, struct secret_text *ret_secret) {
    char *text = view_to_cstr(path);
    bool loaded = text && load_jwt_file(text, ret_secret);
    free(text);
    return loaded;
}

bool secret_load_older(const struct config *config, struct secret_text ret_secrets[JWT_OLDER_MAX]) {
    size_t count = 0;
    if (config->jwt_older_secret) {
        if (!keep_given(config->jwt_older_secret, "JWT_OLDER_SECRET", &ret_secrets[0]) ||
            !judge_jwt(&ret_secrets[0], "JWT_OLDER_SECRET"))
            return false;
        count++;
    }
    for (size_t i = 0; i < config->jwt_older_files.count && count < JWT_OLDER_MAX; i++)
        if (!load_listed(config->jwt_older_files.items[i], &ret_secrets[count++])) return false;
    return true;
}

bool secret_load_admin(const struct config *config, struct secret_text *ret_secret) {
    const char *path = config->admin_token_file;
    ret_secret->len = 0;
    if (path && !read_file(path, ret_secret)) return complain(path, file_problem(errno));
    if (!path && !keep_given(config->admin_token ? config->admin_token : "", "ADMIN_TOKEN", ret_secret))
        return false;
    return ret_secret->len >= SECRET_MIN ||
           complain(path ? path : "ADMIN_TOKEN", "it has fewer than 16 bytes");
}
