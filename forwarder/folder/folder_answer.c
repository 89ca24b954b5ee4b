/* See folder_answer.h. */
#include "folder/folder_answer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "folder/beneath.h"
#include "folder/file_path.h"
#include "folder/media_type.h"
#include "folder/page.h"
#include "folder/validators.h"
#include "http/error.h"

#define BLOCK_BYTES ((size_t)64 * 1024)
#define INDEX "index.html"

static void add(struct MHD_Response *response, const char *name, const char *value) {
    MHD_add_response_header(response, name, value);
}

static enum MHD_Result queue(struct MHD_Connection *connection, unsigned status,
                             struct MHD_Response *response) {
    if (!response) return MHD_NO;
    add(response, MHD_HTTP_HEADER_X_CONTENT_TYPE_OPTIONS, "nosniff");
    enum MHD_Result queued = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return queued;
}

/* ---- pages ---- */

/* The text is taken; NULL without memory. */
static struct MHD_Response *make_page(struct buf *text) {
    size_t len = 0;
    bool failed = text->failed;
    char *bytes = failed ? NULL : buf_take(text, &len);
    buf_done(text);
    if (failed) return NULL;
    struct MHD_Response *response = MHD_create_response_from_buffer(len, bytes, MHD_RESPMEM_MUST_FREE);
    if (!response) return NULL;
    add(response, MHD_HTTP_HEADER_CONTENT_TYPE, "text/html; charset=utf-8");
    add(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    add(response, MHD_HTTP_HEADER_CONTENT_SECURITY_POLICY, HTTP_ERROR_CSP);
    return response;
}

static enum MHD_Result refuse(struct MHD_Connection *connection, unsigned status, const char *text,
                              const char *name, const char *value) {
    struct buf page;
    buf_init(&page, PAGE_BYTES_MAX);
    page_of_refusal(&page, status, text);
    struct MHD_Response *response = make_page(&page);
    if (response && name) add(response, name, value);
    return queue(connection, status, response);
}

static enum MHD_Result refuse_missing(struct MHD_Connection *connection) {
    return refuse(connection, MHD_HTTP_NOT_FOUND, "There is no such file here.", NULL, NULL);
}

enum MHD_Result folder_refuse_method(struct MHD_Connection *connection) {
    return refuse(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "Files can only be read here: GET and HEAD.",
                  MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
}

enum MHD_Result folder_refuse_errno(struct MHD_Connection *connection, int error) {
    if (error == EACCES || error == EPERM)
        return refuse(connection, MHD_HTTP_FORBIDDEN,
                      "Its permissions do not let <code>ttf</code> read this file.", NULL, NULL);
    if (error == EMFILE || error == ENFILE || error == ENOMEM)
        return refuse(connection, MHD_HTTP_SERVICE_UNAVAILABLE, "Too much is under way. Try again shortly.",
                      MHD_HTTP_HEADER_RETRY_AFTER, "1");
    return refuse_missing(connection);
}

/* ---- files ---- */

struct sent_file {
    int fd;
    uint64_t first;
};

/* A file that has become shorter ends the connection, so that nobody takes the part for the whole. */
static ssize_t read_file(void *ctx, uint64_t at, char *out, size_t room) {
    const struct sent_file *file = ctx;
    ssize_t len = pread(file->fd, out, room, (off_t)(file->first + at));
    return len > 0 ? len : MHD_CONTENT_READER_END_WITH_ERROR;
}

static void close_file(void *ctx) {
    struct sent_file *file = ctx;
    close(file->fd);
    free(file);
}

static struct MHD_Response *make_empty(int fd) {
    close(fd);
    return MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
}

/* `fd` is taken. */
static struct MHD_Response *make_body(int fd, const struct portion *portion) {
    if (!portion->count) return make_empty(fd);
    struct sent_file *file = malloc(sizeof(*file));
    if (!file) return make_empty(fd), NULL;
    *file = (struct sent_file){.fd = fd, .first = portion->first};
    struct MHD_Response *response =
        MHD_create_response_from_callback(portion->count, BLOCK_BYTES, read_file, file, close_file);
    if (!response) close_file(file);
    return response;
}

static const char *field(struct MHD_Connection *connection, const char *name) {
    return MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
}

static struct portion choose(struct MHD_Connection *connection, const struct validators *validators,
                             uint64_t size) {
    struct conditions conditions = {
        .if_match = field(connection, MHD_HTTP_HEADER_IF_MATCH),
        .if_none_match = field(connection, MHD_HTTP_HEADER_IF_NONE_MATCH),
        .if_modified_since = field(connection, MHD_HTTP_HEADER_IF_MODIFIED_SINCE),
        .if_unmodified_since = field(connection, MHD_HTTP_HEADER_IF_UNMODIFIED_SINCE),
        .if_range = field(connection, MHD_HTTP_HEADER_IF_RANGE),
        .range = field(connection, MHD_HTTP_HEADER_RANGE),
    };
    return validators_choose(validators, size, &conditions, time(NULL));
}

static void describe(struct MHD_Response *response, const struct validators *validators, const char *path) {
    add(response, MHD_HTTP_HEADER_CONTENT_TYPE, media_type_of(path));
    add(response, MHD_HTTP_HEADER_ETAG, validators->etag);
    if (validators->modified[0]) add(response, MHD_HTTP_HEADER_LAST_MODIFIED, validators->modified);
    add(response, MHD_HTTP_HEADER_ACCEPT_RANGES, "bytes");
    add(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-cache"); /* asked about again, and mostly 304 */
}

/* `fd` is taken. */
static enum MHD_Result answer_file(struct MHD_Connection *connection, int fd, const struct stat *file,
                                   const char *path) {
    char content_range[80];
    struct validators validators;
    uint64_t size = (uint64_t)file->st_size;
    validators_of(file, &validators);
    struct portion portion = choose(connection, &validators, size);
    if (portion.status == MHD_HTTP_RANGE_NOT_SATISFIABLE) {
        close(fd);
        snprintf(content_range, sizeof(content_range), "bytes */%llu", (unsigned long long)size);
        return refuse(connection, portion.status, "The file has no such part.", MHD_HTTP_HEADER_CONTENT_RANGE,
                      content_range);
    }
    if (portion.status == MHD_HTTP_PRECONDITION_FAILED) {
        close(fd);
        return refuse(connection, portion.status, "The file is another one than you ask for.", NULL, NULL);
    }
    struct MHD_Response *response = make_body(fd, &portion);
    if (!response) return MHD_NO;
    describe(response, &validators, path);
    if (portion.status == MHD_HTTP_PARTIAL_CONTENT) {
        snprintf(content_range, sizeof(content_range), "bytes %llu-%llu/%llu",
                 (unsigned long long)portion.first, (unsigned long long)(portion.first + portion.count - 1),
                 (unsigned long long)size);
        add(response, MHD_HTTP_HEADER_CONTENT_RANGE, content_range);
    }
    return queue(connection, portion.status, response);
}

/* ---- folders ---- */

/* To the folder's own URL, by its last name alone: what stands before it is not ours to know. */
static enum MHD_Result redirect(struct MHD_Connection *connection, const char *path, struct view target) {
    const char *slash = strrchr(path, '/');
    struct buf location;
    buf_init(&location, FOLDER_HEAD_MAX);
    buf_printf(&location, "./");
    page_append_encoded(&location, view_from_cstr(slash ? slash + 1 : path));
    buf_append_byte(&location, '/');
    buf_append_view(&location, view_skip(target, view_find(target, '?')));
    buf_append_byte(&location, '\0');
    enum MHD_Result queued =
        location.failed ? MHD_NO
                        : refuse(connection, MHD_HTTP_FOUND, "The folder's address ends with a slash.",
                                 MHD_HTTP_HEADER_LOCATION, buf_view(&location).ptr);
    buf_done(&location);
    return queued;
}

static enum MHD_Result answer_listing(struct MHD_Connection *connection, int root, int folder,
                                      const char *path) {
    struct buf page;
    buf_init(&page, PAGE_BYTES_MAX);
    if (page_of_listing(&page, root, folder, path)) return queue(connection, MHD_HTTP_OK, make_page(&page));
    int error = errno;
    buf_done(&page);
    return folder_refuse_errno(connection, error);
}

static enum MHD_Result answer_folder(struct MHD_Connection *connection, int root, int folder,
                                     const char *path, bool lists) {
    char index[FILE_PATH_MAX + sizeof("/" INDEX)];
    struct stat status;
    snprintf(index, sizeof(index), "%s/" INDEX, path);
    int fd = beneath_open(root, index, &status);
    if (fd >= 0 && S_ISREG(status.st_mode)) return answer_file(connection, fd, &status, INDEX);
    int error = fd < 0 ? errno : ENOENT;
    if (fd >= 0) close(fd);
    if (error != ENOENT) return folder_refuse_errno(connection, error);
    if (lists) return answer_listing(connection, root, folder, path);
    return refuse(connection, MHD_HTTP_FORBIDDEN,
                  "This folder has no <code>" INDEX "</code>, and its files are not listed. "
                  "Who serves it can have them listed with <code>--list</code>.",
                  NULL, NULL);
}

enum MHD_Result folder_answer(struct MHD_Connection *connection, int root, struct view target, bool lists) {
    struct file_path path;
    struct stat status;
    if (!file_path_parse(view_slice(target, 0, view_find(target, '?')), &path))
        return refuse_missing(connection);
    int fd = beneath_open(root, path.text, &status);
    if (fd < 0) return folder_refuse_errno(connection, errno);
    bool is_file = S_ISREG(status.st_mode);
    if (is_file && !path.wants_folder) return answer_file(connection, fd, &status, path.text);
    enum MHD_Result queued = is_file              ? refuse_missing(connection)
                             : !path.wants_folder ? redirect(connection, path.text, target)
                                                  : answer_folder(connection, root, fd, path.text, lists);
    close(fd);
    return queued;
}
