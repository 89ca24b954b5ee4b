/* See landlock.h. */
#include <fcntl.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sandbox/landlock.h"

#if defined(SYS_landlock_create_ruleset) && __has_include(<linux/landlock.h>)
#include <linux/landlock.h>

#define REFER (1ull << 13)    /* moving between folders: the second version of Landlock */
#define TRUNCATE (1ull << 14) /* the third */

#define IN_FILES (LANDLOCK_ACCESS_FS_WRITE_FILE | TRUNCATE)
#define IN_FOLDERS                                                                                           \
    (LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_CHAR |         \
     LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK |              \
     LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM | REFER)

static uint64_t known_accesses(void) {
    long version = syscall(SYS_landlock_create_ruleset, NULL, (size_t)0, LANDLOCK_CREATE_RULESET_VERSION);
    uint64_t all = IN_FILES | IN_FOLDERS;
    if (version < 1) return 0;
    if (version < 3) all &= ~TRUNCATE;
    return version < 2 ? all & ~REFER : all;
}

static bool allow(int ruleset, const char *path, uint64_t accesses) {
    struct stat is;
    int fd = open(path, O_PATH | O_CLOEXEC);
    if (fd < 0) return true; /* what is not there cannot be written */
    if (fstat(fd, &is) == 0 && !S_ISDIR(is.st_mode)) accesses &= IN_FILES;
    const struct landlock_path_beneath_attr beneath = {.allowed_access = accesses, .parent_fd = fd};
    bool done = syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &beneath, 0) == 0;
    close(fd);
    return done;
}

static bool restrict_to(int ruleset, const char *const *paths, size_t count, uint64_t accesses) {
    for (size_t i = 0; i < count; i++)
        if (paths[i] && !allow(ruleset, paths[i], accesses)) return false;
    return syscall(SYS_landlock_restrict_self, ruleset, 0) == 0;
}

bool landlock_writes(const char *const *paths, size_t count) {
    uint64_t accesses = known_accesses();
    const struct landlock_ruleset_attr attributes = {.handled_access_fs = accesses};
    if (!accesses) return false;
    int ruleset =
        (int)syscall(SYS_landlock_create_ruleset, &attributes, sizeof(attributes.handled_access_fs), 0);
    if (ruleset < 0) return false;
    bool done = restrict_to(ruleset, paths, count, accesses);
    close(ruleset);
    return done;
}

#else

bool landlock_writes(const char *const *paths, size_t count) {
    (void)paths, (void)count;
    return false;
}

#endif
