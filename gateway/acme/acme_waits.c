/* See acme_waits.h. */
#include "acme/acme_waits.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/regular_file.h"

#define PATH_MAX_BYTES 4700
#define TEXT_MAX ((size_t)ACME_NAMES_ROOM * (ACME_NAME_MAX + 48))

void acme_waits_print(const struct acme_names *names, struct buf *text) {
    for (size_t i = 0; i < names->count; i++) {
        const struct acme_name *name = &names->items[i];
        if (name->failures) buf_printf(text, "%s %u %" PRIu64 "\n", name->text, name->failures, name->due_ms);
    }
}

static void take_line(struct view line, uint64_t now_ms, struct acme_names *names) {
    struct view text, failures;
    uint64_t count, due_ms;
    if (!view_split(&line, ' ', &text) || !view_split(&line, ' ', &failures) ||
        !view_parse_u64(failures, &count) || !view_parse_u64(line, &due_ms) || count == 0 ||
        count > ACME_FAILURES_MAX || due_ms <= now_ms || due_ms > now_ms + ACME_WAIT_MAX_MS)
        return;
    struct acme_name *name = acme_names_add(names, text, false);
    if (!name) return;
    name->failures = (unsigned)count;
    name->due_ms = due_ms;
}

void acme_waits_parse(struct view text, uint64_t now_ms, struct acme_names *names) {
    struct view line;
    while (view_split(&text, '\n', &line)) take_line(line, now_ms, names);
}

static bool path_of(const char *folder, char out[PATH_MAX_BYTES]) {
    int len = snprintf(out, PATH_MAX_BYTES, "%s.waits", folder);
    return len > 0 && len < PATH_MAX_BYTES;
}

void acme_waits_save(const char *folder, const struct acme_names *names) {
    char path[PATH_MAX_BYTES];
    struct buf text;
    if (!path_of(folder, path)) return;
    buf_init(&text, TEXT_MAX);
    acme_waits_print(names, &text);
    bool ok = text.len ? file_replace(path, buf_view(&text)) : unlink(path) == 0 || errno == ENOENT;
    if (!ok) log_warn("acme", "%s: %s", path, strerror(errno));
    buf_done(&text);
}

void acme_waits_load(const char *folder, uint64_t now_ms, struct acme_names *names) {
    char path[PATH_MAX_BYTES], text[TEXT_MAX];
    FILE *file = path_of(folder, path) ? regular_file_open(path) : NULL;
    if (!file) return;
    size_t len = file_others_can_write(fileno(file)) ? 0 : fread(text, 1, sizeof(text), file);
    fclose(file);
    acme_waits_parse(view_of(text, len), now_ms, names);
}
