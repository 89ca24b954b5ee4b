#include "resume_store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/regular_file.h"
#include "http/chars.h"
#include "user_dir.h"

#define MAGIC "ttf-resume-1"

static char *format(const char *pattern, const char *a, const char *b) {
    size_t size = strlen(pattern) + strlen(a) + strlen(b) + 1;
    char *text = malloc(size);
    if (text) snprintf(text, size, pattern, a, b);
    return text;
}

char *resume_store_default_dir(void) {
    return user_dir("XDG_STATE_HOME", ".local/state");
}

static uint64_t fnv1a(struct view v) {
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < v.len; i++) hash = (hash ^ (unsigned char)v.ptr[i]) * 0x100000001b3u;
    return hash;
}

static unsigned port_of(const struct resume_key *key) {
    return key->label || key->folder ? 0 : key->port;
}

/* "ttf-resume-1 <endpoint> <port> <name or -> <slot>", with 0 as port and "@label" as name for one of
 * ttf.yaml; for a folder 0 and a hash of its path behind the slot. */
static bool make_label(struct buf *out, const struct resume_key *key, unsigned slot) {
    const char *name = key->name ? key->name : key->label ? key->label : "-";
    bool ok = buf_printf(out, MAGIC " %s %u %s%s %u", key->endpoint, port_of(key),
                         key->label && !key->name ? "@" : "", name, slot);
    if (key->label || !key->folder) return ok;
    return ok && buf_printf(out, " %016llx", (unsigned long long)fnv1a(view_from_cstr(key->folder)));
}

static bool make_path(struct buf *out, const char *dir, const struct resume_key *key, struct view label,
                      unsigned slot) {
    const char *host = strstr(key->endpoint, "://");
    host = host ? host + 3 : key->endpoint;
    bool ok = buf_printf(out, "%s/", dir);
    for (size_t i = 0; host[i] && host[i] != '/' && i < 40; i++) {
        char byte = host[i];
        bool plain =
            (byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9') || byte == '.' || byte == '-';
        ok = ok && buf_append_byte(out, plain ? byte : '_');
    }
    const char *name = key->name ? key->name : key->label;
    ok = ok && buf_printf(out, "-%u", port_of(key));
    if (name) ok = ok && buf_printf(out, "-%s", name);
    if (slot) ok = ok && buf_printf(out, "-%u", slot);
    return ok && buf_printf(out, "-%016llx", (unsigned long long)fnv1a(label));
}

static int try_lock(const char *path) {
    char *lock = format("%s%s", path, ".lock");
    if (!lock) return -1;
    int fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    free(lock);
    if (fd < 0) return -1;
    if (flock(fd, LOCK_EX | LOCK_NB) == 0) return fd;
    int reason = errno;
    close(fd);
    errno = reason;
    return -1;
}

/* RESUME_BUSY: this slot is held by another process. */
static enum resume_claim claim_slot(struct resume_store *store, const char *dir, const struct resume_key *key,
                                    unsigned slot) {
    struct buf label, path;
    buf_init(&label, 8192);
    buf_init(&path, 8192);
    enum resume_claim claim = RESUME_UNAVAILABLE;
    errno = ENOMEM;
    if (!make_label(&label, key, slot) || !make_path(&path, dir, key, buf_view(&label), slot)) goto out;
    store->path = view_to_cstr(buf_view(&path));
    store->label = view_to_cstr(buf_view(&label));
    if (!store->path || !store->label) goto out;
    store->lock_fd = try_lock(store->path);
    if (store->lock_fd >= 0)
        claim = RESUME_HELD;
    else if (errno == EWOULDBLOCK)
        claim = RESUME_BUSY;
out:
    buf_done(&label);
    buf_done(&path);
    if (claim != RESUME_HELD) {
        int reason = errno;
        resume_store_close(store);
        errno = reason;
    }
    return claim;
}

enum resume_claim resume_store_open(struct resume_store *ret_store, const char *dir,
                                    const struct resume_key *key, char *error, size_t error_size) {
    *ret_store = (struct resume_store){.lock_fd = -1};
    if (!dir) {
        snprintf(error, error_size, "neither XDG_STATE_HOME nor HOME is set");
        return RESUME_UNAVAILABLE;
    }
    if (!user_dir_prepare(dir, error, error_size)) return RESUME_UNAVAILABLE;
    for (unsigned slot = 0; slot < (key->name ? 1 : RESUME_SLOTS); slot++) {
        enum resume_claim claim = claim_slot(ret_store, dir, key, slot);
        if (claim == RESUME_HELD) {
            resume_store_tell(ret_store, false);
            return claim;
        }
        if (claim == RESUME_UNAVAILABLE) {
            snprintf(error, error_size, "%s: %s", dir, strerror(errno));
            return claim;
        }
    }
    if (key->name) return RESUME_BUSY;
    snprintf(error, error_size, "%u tunnels to this endpoint and port are running already", RESUME_SLOTS);
    return RESUME_UNAVAILABLE;
}

void resume_store_close(struct resume_store *store) {
    if (store->lock_fd >= 0) close(store->lock_fd);
    free(store->path);
    free(store->label);
    *store = (struct resume_store){.lock_fd = -1};
}

static bool token_is_sane(struct view token) {
    return token.len > 0 && token.len <= RESUME_TOKEN_MAX && http_is_visible(token);
}

char *resume_store_load(const struct resume_store *store) {
    if (!store->path) return NULL;
    int fd = open(store->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) return NULL;
    static const size_t max = 16384;
    char *text = malloc(max);
    size_t len = 0;
    ssize_t got = 0;
    while (text && len < max && (got = read(fd, text + len, max - len)) > 0) len += (size_t)got;
    close(fd);
    char *token = NULL;
    struct view rest = view_of(text, text ? len : 0), line;
    if (text && got == 0 && view_split(&rest, '\n', &line) && view_eq(line, view_from_cstr(store->label)) &&
        view_split(&rest, '\n', &line) && token_is_sane(line))
        token = view_to_cstr(line);
    free(text);
    return token;
}

bool resume_store_save(struct resume_store *store, struct view token, char *error, size_t error_size) {
    if (!store->path) return true;
    if (!token_is_sane(token)) {
        snprintf(error, error_size, "the gateway sent a malformed resume token");
        return false;
    }
    struct buf content;
    buf_init(&content, 16384);
    errno = ENOMEM;
    bool ok = buf_printf(&content, "%s\n%.*s\n", store->label, VIEW_ARG(token)) &&
              file_replace(store->path, buf_view(&content));
    if (!ok) snprintf(error, error_size, "%s: %s", store->path, strerror(errno));
    buf_done(&content);
    return ok;
}

/* ---- health ---- */

/* Of the open file, not of the process, which may look at the same file when it begins another tunnel. */
#ifdef F_OFD_SETLK
#define SET_LOCK F_OFD_SETLK
#else
#define SET_LOCK F_SETLK
#endif

void resume_store_tell(struct resume_store *store, bool is_up) {
    if (store->lock_fd < 0) return;
    char state = is_up ? 'u' : 'd';
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    (void)fcntl(store->lock_fd, SET_LOCK, &lock);
    if (pwrite(store->lock_fd, &state, 1, 0) != 1) log_debug("resume", "nobody learns that it is %c", state);
}

/* flock() can only be asked by taking it, and might then be taken from a ttf that starts; so there is a
 * record lock besides. */
static bool is_held(int fd) {
    struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET};
    return fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

bool resume_store_health(const char *dir) {
    DIR *entries = dir ? opendir(dir) : NULL;
    size_t held = 0, up = 0;
    for (const struct dirent *entry; entries && (entry = readdir(entries));) {
        if (!view_ends_with(view_from_cstr(entry->d_name), VIEW(".lock"))) continue;
        char *path = user_path(dir, entry->d_name);
        int fd = path ? open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW) : -1;
        free(path);
        if (fd < 0) continue;
        char state = '\0';
        if (is_held(fd)) held++, up += read(fd, &state, 1) == 1 && state == 'u';
        close(fd);
    }
    if (entries) closedir(entries);
    return held > 0 && up == held;
}
