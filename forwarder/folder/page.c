/* See page.h. */
#include "folder/page.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/utf8.h"
#include "folder/beneath.h"
#include "folder/file_path.h"
#include "http/reason.h"

#define STYLE                                                                                                \
    "<meta name=\"viewport\" content=\"width=device-width\"><meta name=\"color-scheme\" content=\"light "    \
    "dark\">\n<style>body{font:16px/1.5 system-ui,sans-serif;max-width:50rem;margin:3rem auto;padding:0 "    \
    "1rem}h1{font-size:1.4rem;overflow-wrap:anywhere}table{border-collapse:collapse;width:100%%}th,td{"      \
    "text-align:left;padding:.2rem .8rem .2rem 0}td:first-child{overflow-wrap:anywhere}th:nth-child(2),"     \
    "td:nth-child(2){text-align:right;white-space:nowrap}td:last-child{white-space:nowrap}</style>"

struct entry {
    char *name;
    struct stat status;
};

struct listing {
    struct entry *entries;
    size_t count, room;
    bool is_cut;
};

/* ---- text ---- */

void page_append_encoded(struct buf *out, struct view name) {
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";
    for (size_t i = 0; i < name.len; i++)
        if (name.ptr[i] && strchr(plain, name.ptr[i]))
            buf_append_byte(out, name.ptr[i]);
        else
            buf_printf(out, "%%%02X", (unsigned char)name.ptr[i]);
}

static void append_character(struct buf *out, struct view bytes, uint32_t code) {
    if (code < 0x20 || (code >= 0x7f && code < 0xa0))
        buf_printf(out, "\xef\xbf\xbd");
    else if (strchr("<>&\"'", (int)code) && code < 0x80)
        buf_printf(out, "&#%u;", (unsigned)code);
    else
        buf_append_view(out, bytes);
}

void page_append_escaped(struct buf *out, struct view text) {
    for (size_t at = 0, len; at < text.len; at += len ? len : 1) {
        uint32_t code = 0;
        len = utf8_next((const unsigned char *)text.ptr + at, text.len - at, &code);
        append_character(out, view_slice(text, at, at + len), len ? code : 0);
    }
}

void page_of_refusal(struct buf *out, unsigned status, const char *text) {
    struct view reason = http_reason((int)status);
    buf_printf(out,
               "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>%u %.*s</title>" STYLE
               "</head>\n<body><main><h1>%u %.*s</h1><p>%s</p></main></body></html>\n",
               status, VIEW_ARG(reason), status, VIEW_ARG(reason), text);
}

/* ---- what there is ---- */

static void listing_done(struct listing *listing) {
    for (size_t i = 0; i < listing->count; i++) free(listing->entries[i].name);
    free(listing->entries);
}

/* A link is what it leads to, if that is served. */
static bool look(int root, int folder, const char *path, const char *name, struct stat *ret_status) {
    if (fstatat(folder, name, ret_status, AT_SYMLINK_NOFOLLOW) != 0) return false;
    if (!S_ISLNK(ret_status->st_mode)) return S_ISREG(ret_status->st_mode) || S_ISDIR(ret_status->st_mode);
    char whole[FILE_PATH_MAX + NAME_MAX + 2];
    snprintf(whole, sizeof(whole), "%s/%s", path, name);
    int fd = beneath_open(root, whole, ret_status);
    if (fd >= 0) close(fd);
    return fd >= 0;
}

static bool add(struct listing *listing, const char *name, const struct stat *status) {
    if (listing->count == listing->room) {
        size_t room = listing->room ? listing->room * 2 : 64;
        struct entry *entries = realloc(listing->entries, room * sizeof(*entries));
        if (!entries) return false;
        listing->entries = entries;
        listing->room = room;
    }
    char *copy = strdup(name);
    if (copy) listing->entries[listing->count++] = (struct entry){.name = copy, .status = *status};
    return copy;
}

static bool read_names(struct listing *listing, DIR *stream, int root, const char *path) {
    bool is_top = strcmp(path, ".") == 0, good = true;
    const struct dirent *found;
    while (good && !listing->is_cut && (found = readdir(stream)) != NULL) {
        struct stat status;
        if (!file_path_is_shown(view_from_cstr(found->d_name), is_top) ||
            !look(root, dirfd(stream), path, found->d_name, &status))
            continue;
        listing->is_cut = listing->count == PAGE_LISTED_MAX;
        if (!listing->is_cut) good = add(listing, found->d_name, &status);
    }
    return good;
}

static int compare(const void *a, const void *b) {
    const struct entry *one = a, *other = b;
    bool is_folder = S_ISDIR(one->status.st_mode);
    if (is_folder != (bool)S_ISDIR(other->status.st_mode)) return is_folder ? -1 : 1;
    return strcmp(one->name, other->name);
}

/* ---- the page ---- */

static void append_size(struct buf *out, uint64_t bytes) {
    static const char *const units[] = {"kB", "MB", "GB", "TB", "PB", "EB"};
    double size = (double)bytes / 1000;
    size_t unit = 0;
    for (; size >= 999.95 && unit < 5; unit++) size /= 1000;
    if (bytes < 1000)
        buf_printf(out, "%u B", (unsigned)bytes);
    else
        buf_printf(out, "%.1f %s", size, units[unit]);
}

static void append_entry(struct buf *out, const struct entry *entry) {
    bool is_folder = S_ISDIR(entry->status.st_mode);
    struct view name = view_from_cstr(entry->name);
    struct tm utc;
    char date[32] = "";
    if (gmtime_r(&entry->status.st_mtime, &utc)) strftime(date, sizeof(date), "%Y-%m-%dT%H:%MZ", &utc);
    buf_printf(out, "<tr><td><a href=\"./");
    page_append_encoded(out, name);
    buf_printf(out, "%s\">", is_folder ? "/" : "");
    page_append_escaped(out, name);
    buf_printf(out, "%s</a></td><td>", is_folder ? "/" : "");
    if (!is_folder) append_size(out, (uint64_t)entry->status.st_size);
    buf_printf(out, "</td><td><time datetime=\"%s\">%.10s %.5s</time></td></tr>\n", date, date,
               strlen(date) > 11 ? date + 11 : "");
}

static void append_page(struct buf *out, const struct listing *listing, const char *path) {
    bool is_top = strcmp(path, ".") == 0;
    buf_printf(out, "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Files in /");
    page_append_escaped(out, view_from_cstr(is_top ? "" : path));
    buf_printf(out, "</title>" STYLE "</head>\n<body><main><h1>Files in /");
    page_append_escaped(out, view_from_cstr(is_top ? "" : path));
    buf_printf(out, "</h1>\n%s", is_top ? "" : "<p><a href=\"../\">To the folder above</a></p>\n");
    if (listing->count) {
        buf_printf(out, "<table><thead><tr><th scope=\"col\">Name</th><th scope=\"col\">Size</th><th "
                        "scope=\"col\">Changed (UTC)</th></tr></thead>\n<tbody>\n");
        for (size_t i = 0; i < listing->count; i++) append_entry(out, &listing->entries[i]);
        buf_printf(out, "</tbody></table>\n");
    } else {
        buf_printf(out, "<p>Nothing is in here.</p>\n");
    }
    if (listing->is_cut) buf_printf(out, "<p>There is more; the first %u are shown.</p>\n", PAGE_LISTED_MAX);
    buf_printf(out, "</main></body></html>\n");
}

bool page_of_listing(struct buf *out, int root, int folder, const char *path) {
    struct listing listing = {0};
    int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *stream = fd >= 0 ? fdopendir(fd) : NULL;
    if (!stream) {
        if (fd >= 0) close(fd);
        return false;
    }
    bool good = read_names(&listing, stream, root, path);
    if (good && listing.count) qsort(listing.entries, listing.count, sizeof(*listing.entries), compare);
    if (good) append_page(out, &listing, path);
    closedir(stream);
    listing_done(&listing);
    if (!good || out->failed) errno = ENOMEM;
    return good && !out->failed;
}
