/* See denial_file.h. */
#include "control/denial_file.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"

#define FILE_BYTES_MAX ((size_t)64 * 1024 * 1024)

char *denial_file_text(const struct denial_list *list, size_t *ret_len) {
    json_t *object = json_object();
    for (const struct list *node = list->all.next; object && node != &list->all; node = node->next) {
        const struct denial *denial = LIST_ENTRY(node, const struct denial, all);
        struct buf record;
        buf_init(&record, 1024);
        denial_record_encode(&record, denial);
        json_object_set_new(object, denial->key, json_stringn(buf_view(&record).ptr, record.len));
        buf_done(&record);
    }
    char *text = object ? json_dumps(object, JSON_INDENT(1)) : NULL;
    json_decref(object);
    *ret_len = text ? strlen(text) : 0;
    return text;
}

bool denial_file_read(struct view text, struct denial_list *list) {
    json_t *object = json_loadb(text.ptr ? text.ptr : "", text.len, JSON_REJECT_DUPLICATES, NULL);
    const char *key;
    json_t *record;
    size_t lost = 0;
    json_object_foreach(object, key, record) {
        struct view text_of_it = view_of(json_string_value(record), json_string_length(record));
        if (denial_list_put(list, view_from_cstr(key), text_of_it) != STATUS_OK) lost++;
    }
    if (lost)
        log_warn("control", "%zu of those who are kept out cannot be understood, and are left out", lost);
    bool is_object = json_is_object(object);
    json_decref(object);
    return is_object;
}

bool denial_file_load(const char *path, struct denial_list *list) {
    struct buf text;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return errno == ENOENT;
    buf_init(&text, FILE_BYTES_MAX);
    ssize_t len = 1;
    for (char *room; len > 0 && (room = buf_reserve(&text, 65536));) {
        len = read(fd, room, 65536);
        if (len > 0) buf_commit(&text, (size_t)len);
    }
    close(fd);
    bool is_read = len == 0 && denial_file_read(buf_view(&text), list);
    if (len == 0 || text.failed) errno = EINVAL;
    buf_done(&text);
    return is_read;
}
