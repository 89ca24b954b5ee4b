/* See admin_socket.h. */
#include "admin/admin_socket.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"

#define BACKLOG 16
#define ACCEPT_BATCH 16
#define SOCKET_PATH_MAX sizeof(((struct sockaddr_un *)0)->sun_path)

struct admin_socket {
    uv_poll_t poll;
    struct admin *admin;
    int fd;
    ino_t inode; /* of the file that is ours */
    bool is_shown;
    char path[SOCKET_PATH_MAX], beside[SOCKET_PATH_MAX];
};

static bool is_let_in(int fd) {
    struct ucred peer;
    socklen_t len = sizeof(peer);
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 &&
           (peer.uid == geteuid() || peer.uid == 0);
}

static void on_readable(uv_poll_t *poll, int status, int events) {
    struct admin_socket *opened = poll->data;
    (void)events;
    for (int i = 0; status >= 0 && i < ACCEPT_BATCH; i++) {
        int fd = accept4(opened->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) return;
        if (is_let_in(fd)) {
            admin_accept_owner(opened->admin, fd);
        } else {
            log_warn(LOG_AUDIT, "refusal of the administration: another user at the admin socket");
            close(fd);
        }
    }
}

static bool address_of(const char *path, struct sockaddr_un *ret_address) {
    *ret_address = (struct sockaddr_un){.sun_family = AF_UNIX};
    return view_copy_to(view_from_cstr(path), ret_address->sun_path, sizeof(ret_address->sun_path));
}

int admin_socket_connect(const char *path) {
    struct sockaddr_un address;
    errno = ENAMETOOLONG;
    if (!address_of(path, &address)) return -1;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0) return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

/* Is there a gateway, or something that is no socket? */
static bool is_taken(const char *path) {
    struct stat status;
    if (lstat(path, &status) != 0) return errno != ENOENT;
    int fd = S_ISSOCK(status.st_mode) ? admin_socket_connect(path) : -1;
    if (fd >= 0) close(fd);
    return fd >= 0 || !S_ISSOCK(status.st_mode);
}

static const char *bind_it(struct admin_socket *opened) {
    struct sockaddr_un address;
    struct stat status;
    if (!address_of(opened->beside, &address)) return "the path is too long for a socket";
    mode_t before = umask(0177);
    bool bound = bind(opened->fd, (const struct sockaddr *)&address, sizeof(address)) == 0;
    umask(before);
    if (!bound || listen(opened->fd, BACKLOG) != 0 || lstat(opened->beside, &status) != 0)
        return strerror(errno);
    opened->inode = status.st_ino;
    return NULL;
}

static struct admin_socket *give_up(struct admin_socket *opened) {
    if (opened->fd >= 0) close(opened->fd);
    free(opened);
    return NULL;
}

struct admin_socket *admin_socket_open(struct loop *loop, const char *path, bool takes_over,
                                       struct admin *admin, const char **ret_why) {
    struct admin_socket *opened = calloc(1, sizeof(*opened));
    *ret_why = "out of memory";
    if (!opened) return NULL;
    opened->admin = admin;
    opened->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int len = snprintf(opened->beside, sizeof(opened->beside), "%s.%ld", path, (long)getpid());
    if (len >= (int)sizeof(opened->beside) ||
        !view_copy_to(view_from_cstr(path), opened->path, sizeof(opened->path)))
        *ret_why = "the path is too long for a socket";
    else if (!takes_over && is_taken(path))
        *ret_why = "another gateway listens there, or it is no socket";
    else
        *ret_why = opened->fd < 0 ? strerror(errno) : bind_it(opened);
    if (*ret_why) return give_up(opened);
    uv_poll_init(&loop->uv, &opened->poll, opened->fd);
    opened->poll.data = opened;
    uv_poll_start(&opened->poll, UV_READABLE, on_readable);
    return opened;
}

bool admin_socket_show(struct admin_socket *opened) {
    opened->is_shown = rename(opened->beside, opened->path) == 0;
    if (!opened->is_shown) log_error("admin", "%s: %s", opened->path, strerror(errno));
    return opened->is_shown;
}

/* Another gateway may have taken the place over. */
static void remove_file(const struct admin_socket *opened) {
    struct stat status;
    const char *path = opened->is_shown ? opened->path : opened->beside;
    if (lstat(path, &status) == 0 && status.st_ino == opened->inode) unlink(path);
}

static void on_closed(uv_handle_t *handle) {
    free(handle->data);
}

void admin_socket_free(struct admin_socket *opened) {
    if (!opened) return;
    uv_close((uv_handle_t *)&opened->poll, on_closed);
    close(opened->fd);
    remove_file(opened);
}
