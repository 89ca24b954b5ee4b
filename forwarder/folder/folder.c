/* See folder.h. All but folder_dial() and the life of it runs in the daemon's thread. */
#include "folder/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "folder/folder_answer.h"

#define CONNECTIONS_MAX 1100u /* more than the one client opens */

struct folder {
    struct MHD_Daemon *daemon;
    bool lists;
    char path[];
};

/* ---- requests ---- */

struct request {
    bool has_head;
    char target[];
};

static void *on_target(void *ctx, const char *target, struct MHD_Connection *connection) {
    (void)ctx, (void)connection;
    size_t len = strlen(target);
    struct request *request = calloc(1, sizeof(*request) + len + 1);
    if (request) memcpy(request->target, target, len);
    return request;
}

/* Raw names are what file_path_parse() decodes. */
static size_t unescape_nothing(void *ctx, struct MHD_Connection *connection, char *text) {
    (void)ctx, (void)connection;
    return strlen(text);
}

static enum MHD_Result answer(const struct folder *folder, struct MHD_Connection *connection,
                              const struct request *request) {
    int root = open(folder->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    enum MHD_Result queued =
        root < 0 ? folder_refuse_errno(connection, errno)
                 : folder_answer(connection, root, view_from_cstr(request->target), folder->lists);
    if (root >= 0) close(root);
    return queued;
}

static enum MHD_Result on_request(void *ctx, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *data, size_t *size,
                                  void **ctx_of_request) {
    (void)url, (void)version, (void)data;
    struct request *request = *ctx_of_request;
    if (!request) return MHD_NO;
    if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0) return folder_refuse_method(connection);
    bool is_first = !request->has_head;
    request->has_head = true;
    if (is_first) return MHD_YES; /* an answer in the first call would close the connection */
    if (!*size) return answer(ctx, connection, request);
    *size = 0;
    return MHD_YES;
}

static void on_completed(void *ctx, struct MHD_Connection *connection, void **request,
                         enum MHD_RequestTerminationCode code) {
    (void)ctx, (void)connection, (void)code;
    free(*request);
    *request = NULL;
}

/* ---- life ---- */

bool folder_check(const char *path, char *error, size_t error_size) {
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), reason = errno;
    if (fd >= 0) close(fd);
    if (fd >= 0) return true;
    if (reason == ENOENT)
        snprintf(error, error_size, "there is no folder '%.200s'", path);
    else if (reason == ENOTDIR)
        snprintf(error, error_size, "'%.200s' is no folder: give the folder that the file is in", path);
    else
        snprintf(error, error_size, "the folder '%.200s' cannot be read: %s", path, strerror(reason));
    return false;
}

bool folder_is_home(const char *path) {
    const char *variable = getenv("HOME");
    char *folder = realpath(path, NULL), *home = variable ? realpath(variable, NULL) : NULL;
    bool is_home = folder && (strcmp(folder, "/") == 0 || (home && strcmp(folder, home) == 0));
    free(folder);
    free(home);
    return is_home;
}

struct folder *folder_new(const char *path, bool lists, char *error, size_t error_size) {
    size_t len = strlen(path);
    if (!folder_check(path, error, error_size)) return NULL;
    snprintf(error, error_size, "the folder's server does not start");
    struct folder *folder = calloc(1, sizeof(*folder) + len + 1);
    if (!folder) return NULL;
    memcpy(folder->path, path, len);
    folder->lists = lists;
    folder->daemon = MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ITC | MHD_USE_NO_LISTEN_SOCKET, 0, NULL, NULL, on_request,
        folder, MHD_OPTION_URI_LOG_CALLBACK, on_target, NULL, MHD_OPTION_UNESCAPE_CALLBACK, unescape_nothing,
        NULL, MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL, MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, FOLDER_HEAD_MAX, MHD_OPTION_END);
    if (folder->daemon) return folder;
    free(folder);
    return NULL;
}

void folder_free(struct folder *folder) {
    if (!folder) return;
    MHD_stop_daemon(folder->daemon);
    free(folder);
}

static bool set_up(int fd) {
    return fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 && fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) == 0;
}

int folder_dial(void *ctx) {
    const struct folder *folder = ctx;
    struct sockaddr address = {.sa_family = AF_UNIX};
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0) return -1;
    bool is_set_up = set_up(pair[0]) && set_up(pair[1]);
    if (!is_set_up) close(pair[1]);
    if (is_set_up && MHD_add_connection(folder->daemon, pair[1], &address, sizeof(address)) == MHD_YES)
        return pair[0]; /* the other end is the daemon's in any case */
    int error = errno;
    close(pair[0]);
    errno = error ? error : ECONNREFUSED;
    return -1;
}
