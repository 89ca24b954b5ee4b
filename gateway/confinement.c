/* See confinement.h. */
#include "confinement.h"

#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/view.h"
#include "config/secret_file.h"
#include "sandbox/sandbox.h"

#define PATH_ROOM PATH_MAX

static struct {
    struct sandbox holds;
    bool is_wanted;
} confinement;

/* The folder of a file that is made anew while the gateway runs. NULL: there is none, or its path is too long
 * to be opened at all. */
static const char *folder_of(const char *path, char room[PATH_ROOM]) {
    return path && view_copy_to(view_from_cstr(path), room, PATH_ROOM) ? dirname(room) : NULL;
}

static const char *access_log_file(const struct config *config) {
    const char *place = config->access_log;
    return strcmp(place, "stderr") == 0 || strcmp(place, "syslog") == 0 ? NULL : place;
}

/* A name may lead elsewhere: a link, or /dev/stdout where that is a file. NULL: it is no file. The folder is
 * made known by making the file, which is opened for good only where there are more threads. */
static const char *folder_behind(const char *path, char room[PATH_ROOM]) {
    struct stat is;
    if (!path) return NULL;
    if (stat(path, &is) != 0) {
        int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640);
        if (fd >= 0) close(fd);
    }
    return realpath(path, room) ? dirname(room) : NULL;
}

void confinement_enter(const struct config *config) {
    char log_room[PATH_ROOM], log_real[PATH_ROOM], socket_room[PATH_ROOM], state[STATE_PATH_MAX];
    confinement.is_wanted = config->sandbox;
    if (!config->sandbox) return;
    if (strcmp(config->store_url, "memory") == 0 || config->acme_email)
        config_state_folder(config); /* later it could not be made */
    bool has_state = config_state_path(config, "denials", state);
    const char *writable[] = {has_state ? dirname(state) : NULL, folder_of(access_log_file(config), log_room),
                              folder_behind(access_log_file(config), log_real),
                              folder_of(config->admin_socket, socket_room), "/dev/null"};
    confinement.holds = sandbox_enter(writable, sizeof(writable) / sizeof(writable[0]));
}

void confinement_log(void) {
    char text[SANDBOX_TEXT_MAX];
    if (!confinement.is_wanted) return;
    sandbox_print(&confinement.holds, text);
    log_info("sandbox", "%s", text);
}
