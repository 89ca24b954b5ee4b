/* See user_unit.h. The unit's file is all that is written; the rest is systemctl's. */
#include "user_unit.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent_file.h"
#include "base/buf.h"
#include "base/regular_file.h"
#include "failure.h"
#include "user_dir.h"

#define UNIT "ttf.service"

/* Its exit code; 127 where there is none. */
static int systemctl(const char *verb, const char *option, const char *unit) {
    const char *arguments[] = {"systemctl",          "--user", verb, option ? option : unit,
                               option ? unit : NULL, NULL};
    int status = 0;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        execvp(arguments[0], (char *const *)(uintptr_t)arguments);
        _exit(127);
    }
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
    return child < 0 || !WIFEXITED(status) ? 127 : WEXITSTATUS(status);
}

static int fail_systemctl(int code) {
    if (code == 127)
        return say_failure("there is no systemctl here: this machine's services are not systemd's"), 1;
    return say_failure("the user's systemd does not take it (systemctl --user ends with %d)", code), 1;
}

/* ---- the file ---- */

static char *unit_dir(void) {
    char *ours = user_dir("XDG_CONFIG_HOME", ".config"), *dir = NULL;
    char *end = ours ? strrchr(ours, '/') : NULL;
    if (end) *end = '\0'; /* "/ttf" */
    if (end) dir = user_path(ours, "systemd/user");
    free(ours);
    return dir;
}

/* A word of ExecStart (systemd.service(5)). */
static bool append_word(struct buf *out, const char *word) {
    buf_append_byte(out, '"');
    for (; *word; word++) {
        if ((unsigned char)*word < 0x20) return false;
        if (strchr("\"\\", *word)) buf_append_byte(out, '\\');
        if (strchr("%$", *word)) buf_append_byte(out, *word);
        buf_append_byte(out, *word);
    }
    buf_append_byte(out, '"');
    return true;
}

static bool print_unit(struct buf *out, const char *program, const char *config) {
    buf_append_view(out, VIEW("# written by ttf service install\n[Unit]\nDescription=HTTP tunnels (ttf)\n\n"
                              "[Service]\nExecStart="));
    if (!append_word(out, program)) return false;
    buf_append_view(out, VIEW(" start --log plain --config "));
    if (!append_word(out, config)) return false;
    return buf_append_view(out,
                           VIEW("\nExecReload=/bin/kill -HUP $MAINPID\nRestart=on-failure\nRestartSec=5\n"
                                "RestartPreventExitStatus=2\nNoNewPrivileges=yes\n\n"
                                "[Install]\nWantedBy=default.target\n"));
}

/* ---- what it runs ---- */

/* The file that is named, or the user's own; malloc'ed, absolute, and one that says tunnels. */
static char *choose_config(const struct options *options) {
    char error[512], *dir = user_dir("XDG_CONFIG_HOME", ".config"), *own = user_path(dir, "ttf.yaml");
    const char *path = options->config ? options->config : own;
    char *absolute = path ? realpath(path, NULL) : NULL;
    struct agent_file *file = calloc(1, sizeof(*file));
    bool good = false;
    if (!absolute)
        say_failure("%s: %s (name the file of the tunnels with --config)", path ? path : "ttf.yaml",
                    strerror(errno));
    else if (!file || !agent_file_load(file, absolute, true, error, sizeof(error)))
        say_failure("%s", file ? error : "out of memory");
    else if (!(good = file->count))
        say_failure("%s names no tunnels", absolute);
    if (file) agent_file_done(file);
    free(file);
    free(own);
    free(dir);
    if (good) return absolute;
    free(absolute);
    return NULL;
}

/* ---- verbs ---- */

/* Of one that could not be begun nothing stays; one that was there before does. */
static int fail_start(const char *path, bool was_there, int code) {
    if (!was_there && code != 127) systemctl("disable", NULL, UNIT);
    if (!was_there) unlink(path);
    return fail_systemctl(code);
}

/* One that runs already is begun anew: it has the program and the file of before. */
static int start_unit(const char *path, bool was_there) {
    int code = systemctl("daemon-reload", NULL, NULL);
    if (!code) code = systemctl("enable", NULL, UNIT);
    if (!code) code = systemctl("restart", NULL, UNIT);
    if (code) return fail_start(path, was_there, code);
    return printf("%s: its tunnels run, now and after each login (ttf service status)\n", path), 0;
}

static int install(const struct options *options, const char *path) {
    char program[PATH_MAX + 1];
    ssize_t len = readlink("/proc/self/exe", program, PATH_MAX);
    bool was_there = access(path, F_OK) == 0;
    char *config = choose_config(options);
    if (!config) return 2;
    program[len > 0 ? len : 0] = '\0';
    struct buf unit;
    buf_init(&unit, (size_t)4 * PATH_MAX);
    int code = 1;
    if (len <= 0 || !print_unit(&unit, program, config))
        say_failure("a path here has a byte that systemd does not take");
    else if (!file_make_folders(path, 0755) || !file_replace(path, buf_view(&unit)))
        say_failure("%s cannot be written: %s", path, strerror(errno));
    else
        code = start_unit(path, was_there);
    buf_done(&unit);
    free(config);
    return code;
}

static int uninstall(const char *path) {
    if (access(path, F_OK) != 0) return say_failure("%s: %s", path, strerror(errno)), 1;
    int code = systemctl("disable", "--now", UNIT);
    if (code) return fail_systemctl(code);
    if (unlink(path) != 0) return say_failure("%s: %s", path, strerror(errno)), 1;
    systemctl("daemon-reload", NULL, NULL);
    return printf("%s is removed\n", path), 0;
}

int user_unit_run(const struct options *options) {
    const char *verb = options->word_count ? options->words[0] : "";
    char *dir = unit_dir(), *path = user_path(dir, UNIT);
    int code = 2;
    if (!path) {
        say_failure("there is no place for a unit: neither XDG_CONFIG_HOME nor HOME is set");
        code = 1;
    } else if (strcmp(verb, "install") == 0) {
        code = install(options, path);
    } else if (strcmp(verb, "uninstall") == 0) {
        code = uninstall(path);
    } else if (strcmp(verb, "status") == 0) {
        code = systemctl("status", "--no-pager", UNIT);
        if (code == 127) fail_systemctl(code);
    } else {
        say_failure("ttf service wants install, uninstall or status");
    }
    free(path);
    free(dir);
    return code;
}
