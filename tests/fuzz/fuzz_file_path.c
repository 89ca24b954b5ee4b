/* libFuzzer target: the path of a URL, as the file of a folder. Whatever it is, nothing that comes of it
 * leads out of the folder, to a hidden name, or says a name in two ways. */
#include "folder/file_path.h"
#include "folder/page.h"
#include "fuzz.h"

static void check_name(struct view name, bool is_top) {
    require(name.len > 0);
    require(!memchr(name.ptr, '/', name.len));
    require(name.ptr[0] != '.' || (is_top && view_eq(name, VIEW(".well-known"))));
}

/* As a page links to it, it is the same again, and its text is UTF-8 that ends no element. */
static void check_link(const struct file_path *path) {
    struct buf link, text;
    struct file_path again;
    buf_init(&link, PAGE_BYTES_MAX);
    buf_init(&text, PAGE_BYTES_MAX);
    struct view rest = view_from_cstr(path->text), name;
    while (view_split(&rest, '/', &name)) {
        buf_append_byte(&link, '/');
        page_append_encoded(&link, name);
    }
    if (path->wants_folder) buf_append_byte(&link, '/');
    require(file_path_parse(buf_view(&link), &again) && strcmp(again.text, path->text) == 0);
    require(again.wants_folder == path->wants_folder);
    page_append_escaped(&text, view_from_cstr(path->text));
    for (size_t i = 0; i < text.len; i++) require(!strchr("<>\"'", buf_view(&text).ptr[i]));
    buf_done(&link);
    buf_done(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len) {
    struct file_path path;
    char *copy = exact_copy(view_of(bytes, len));
    if (file_path_parse(view_of(copy, len), &path) && strcmp(path.text, ".") != 0) {
        require(strlen(path.text) <= FILE_PATH_MAX);
        struct view rest = view_from_cstr(path.text), name;
        for (bool is_top = true; view_split(&rest, '/', &name); is_top = false) check_name(name, is_top);
        check_link(&path);
    }
    free(copy);
    return 0;
}
