/* See jwks.h. Jansson's own messages quote the text, which may hold secrets: only the place is told. */
#include "auth/jwks.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/regular_file.h"

struct jwks {
    size_t count, passed_over;
    struct jwk keys[];
};

static bool complain(char why[JWKS_WHY_MAX], const char *what) {
    snprintf(why, JWKS_WHY_MAX, "%s", what);
    return false;
}

/* By number, and by name where it has one that can be shown. */
static bool complain_of_key(char why[JWKS_WHY_MAX], size_t index, const json_t *key, const char *what) {
    const char *kid = json_string_value(json_object_get(key, "kid"));
    bool can_be_shown = kid && kid[0];
    for (const char *at = kid; at && *at; at++)
        if (*at < 0x20 || *at > 0x7e) can_be_shown = false;
    if (can_be_shown)
        snprintf(why, JWKS_WHY_MAX, "key %zu (kid \"%.60s\"): %s", index + 1, kid, what);
    else
        snprintf(why, JWKS_WHY_MAX, "key %zu: %s", index + 1, what);
    return false;
}

#define OF_SECRETS (1u << JWS_HS256 | 1u << JWS_HS384 | 1u << JWS_HS512)

static bool read_keys(struct jwks *set, const json_t *keys, bool is_public, char why[JWKS_WHY_MAX]) {
    size_t index;
    json_t *json;
    json_array_foreach(keys, index, json) {
        const char *what = "";
        enum jwk_verdict verdict = jwk_read(json, &set->keys[set->count], &what);
        if (verdict == JWK_MALFORMED) return complain_of_key(why, index, json, what);
        if (verdict == JWK_USABLE && is_public && (set->keys[set->count].algs & OF_SECRETS)) {
            jwk_done(&set->keys[set->count]);
            verdict = JWK_OTHER;
        }
        if (verdict == JWK_USABLE)
            set->count++;
        else
            set->passed_over++;
    }
    return set->count > 0 ||
           complain(why, "no key of it can verify a token (RSA, EC, OKP or oct, for signatures)");
}

static json_t *load(struct view text, char why[JWKS_WHY_MAX]) {
    json_error_t error = {.line = 0};
    if (text.len > JWKS_TEXT_MAX) {
        complain(why, "it is larger than 64 KiB");
        return NULL;
    }
    json_t *root = json_loadb(text.ptr ? text.ptr : "", text.len, JSON_REJECT_DUPLICATES, &error);
    if (root) return root;
    bool twice = json_error_code(&error) == json_error_duplicate_key;
    snprintf(why, JWKS_WHY_MAX, "it is no JSON%s (line %d, column %d)", twice ? " with each name once" : "",
             error.line, error.column);
    return NULL;
}

struct jwks *jwks_none(void) {
    return calloc(1, sizeof(struct jwks) + JWKS_KEYS_MAX * sizeof(struct jwk));
}

static struct jwks *parse(struct view text, bool is_public, char why[JWKS_WHY_MAX]) {
    json_t *root = load(text, why);
    if (!root) return NULL;
    const json_t *keys = json_object_get(root, "keys");
    size_t count = json_array_size(keys);
    struct jwks *set = jwks_none();
    bool good = false;
    if (!set)
        complain(why, "out of memory");
    else if (!json_is_array(keys))
        complain(why, "it is no object with a list of keys");
    else if (count > JWKS_KEYS_MAX)
        complain(why, "it has more than 64 keys");
    else
        good = read_keys(set, keys, is_public, why);
    json_decref(root);
    if (good) return set;
    jwks_free(set);
    return NULL;
}

struct jwks *jwks_parse(struct view text, char why[JWKS_WHY_MAX]) {
    return parse(text, false, why);
}

struct jwks *jwks_parse_public(struct view text, char why[JWKS_WHY_MAX]) {
    return parse(text, true, why);
}

static int read_all(int fd, struct buf *out) {
    struct stat status;
    ssize_t len = 1;
    if (fstat(fd, &status) != 0) return errno;
    if (!S_ISREG(status.st_mode)) return S_ISDIR(status.st_mode) ? EISDIR : EINVAL;
    while (len > 0 && out->len <= JWKS_TEXT_MAX) {
        char *room = buf_reserve(out, 4096);
        if (!room) return ENOMEM;
        len = read(fd, room, 4096);
        if (len > 0) buf_commit(out, (size_t)len);
    }
    return len < 0 ? errno : 0;
}

int jwks_read_file(const char *path, struct buf *out) {
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return errno;
    int error = read_all(fd, out);
    if (!error && file_others_can_write(fd)) error = EPERM;
    close(fd);
    return error;
}

void jwks_free(struct jwks *set) {
    if (!set) return;
    for (size_t i = 0; i < set->count; i++) jwk_done(&set->keys[i]);
    free(set);
}

size_t jwks_count(const struct jwks *set) {
    return set->count;
}

size_t jwks_passed_over(const struct jwks *set) {
    return set->passed_over;
}

static bool has_name(const struct jwk *key, struct view kid) {
    return !kid.ptr || (key->kid && view_eq(view_from_cstr(key->kid), kid));
}

size_t jwks_find(const struct jwks *set, enum jws_alg alg, struct view kid,
                 const struct jwk *ret_keys[JWKS_TRIES_MAX]) {
    size_t found = 0;
    for (size_t i = 0; i < set->count; i++) {
        const struct jwk *key = &set->keys[i];
        if (!(key->algs & 1u << alg) || !has_name(key, kid)) continue;
        if (found < JWKS_TRIES_MAX) ret_keys[found] = key;
        found++;
    }
    return found;
}
