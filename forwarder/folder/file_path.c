/* See file_path.h. */
#include "folder/file_path.h"

#include "base/hex.h"

/* The byte at *at, which then stands behind it; -1: none that a name may have. */
static int next_byte(struct view raw, size_t *at) {
    bool is_coded = raw.ptr[*at] == '%';
    int byte = is_coded ? percent_byte(view_skip(raw, *at)) : (unsigned char)raw.ptr[*at];
    *at += is_coded ? 3 : 1;
    return byte > 0 && byte != '/' ? byte : -1;
}

static bool append_segment(struct file_path *path, size_t *len, struct view raw) {
    size_t begin = *len;
    for (size_t at = 0; at < raw.len;) {
        int byte = next_byte(raw, &at);
        if (byte < 0 || *len == FILE_PATH_MAX) return false;
        path->text[(*len)++] = (char)byte;
    }
    return file_path_is_shown(view_of(path->text + begin, *len - begin), begin == 0);
}

bool file_path_is_shown(struct view name, bool is_top) {
    if (is_top && view_eq(name, VIEW(".well-known"))) return true;
    return name.len && name.ptr[0] != '.';
}

bool file_path_parse(struct view path, struct file_path *ret_path) {
    size_t len = 0;
    struct view segment;
    *ret_path = (struct file_path){.text = ".", .wants_folder = true};
    if (!view_starts_with(path, VIEW("/"))) return false;
    for (struct view rest = view_skip(path, 1); view_split(&rest, '/', &segment);) {
        ret_path->wants_folder = !rest.ptr && !segment.len;
        if (ret_path->wants_folder) break;
        if (len == FILE_PATH_MAX) return false;
        if (len) ret_path->text[len++] = '/';
        if (!append_segment(ret_path, &len, segment)) return false;
    }
    if (len) ret_path->text[len] = '\0';
    return true;
}
