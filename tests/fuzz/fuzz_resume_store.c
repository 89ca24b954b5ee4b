/* libFuzzer target: the file in which ttf keeps a resume token. Whatever is in it, a token is one line of
 * visible bytes behind our label. */
#include <stdio.h>
#include <unistd.h>

#include "fuzz.h"
#include "resume_store.h"

static char path[] = "/tmp/fuzz_resume_store.XXXXXX";
static char missing[] = "/nowhere/at/all";
static char label[] = "ws://a/ 80 0";

static void forget(void) {
    unlink(path);
}

static int file(void) {
    static int fd = -1;
    if (fd < 0) {
        require((fd = mkstemp(path)) >= 0);
        atexit(forget);
    }
    return fd;
}

static void write_file(struct view bytes) {
    int fd = file();
    require(ftruncate(fd, 0) == 0 && pwrite(fd, bytes.ptr, bytes.len, 0) == (ssize_t)bytes.len);
}

static void check(const char *token) {
    require(token[0] && strlen(token) <= RESUME_TOKEN_MAX);
    for (const char *c = token; *c; c++) require(*c > ' ' && *c < 0x7f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct buf bytes;
    struct resume_store store = {.path = path, .label = label, .lock_fd = -1};
    if (size == 0) return 0;
    buf_init(&bytes, size + sizeof(label));
    if (data[0] % 2) buf_printf(&bytes, "%s\n", label);
    buf_append(&bytes, data + 1, size - 1);
    write_file(buf_view(&bytes));
    char *token = resume_store_load(&store);
    if (token) check(token);
    free(token);
    const struct resume_store none = {.lock_fd = -1}, gone = {.path = missing, .label = label, .lock_fd = -1};
    require(!resume_store_load(&none) && !resume_store_load(&gone));
    buf_done(&bytes);
    return 0;
}
