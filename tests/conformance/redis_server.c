/* See redis_server.h. */
#include "redis_server.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARGUMENTS_MAX 32

bool redis_server_exists(const char *program) {
    const char *path = getenv("PATH");
    char *copy = strdup(path ? path : ""), *rest = copy, file[4096];
    bool found = false;
    for (char *folder; copy && !found && (folder = strsep(&rest, ":"));) {
        snprintf(file, sizeof(file), "%s/%s", folder, program);
        found = access(file, X_OK) == 0;
    }
    free(copy);
    return found;
}

static void run_server(struct redis_server *server, const char *program, const char *const *arguments) {
    const char *words[ARGUMENTS_MAX] = {
        program, "--port",       "0",      "--unixsocket", server->socket, "--save",
        "",      "--appendonly", "no",     "--dir",        server->folder, "--databases",
        "512",   "--loglevel",   "warning"};
    size_t count = 15;
    while (arguments && *arguments && count + 1 < ARGUMENTS_MAX) words[count++] = *arguments++;
    words[count] = NULL;
    if (freopen("/dev/null", "w", stdout)) execvp(program, (char *const *)words);
    _exit(127);
}

static bool listens(const struct redis_server *server) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", server->socket);
    bool connected = fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
    if (fd >= 0) close(fd);
    return connected;
}

bool redis_server_start(struct redis_server *server, const char *program, const char *const *arguments) {
    strcpy(server->folder, "/tmp/ttf-redis-XXXXXX");
    if (!mkdtemp(server->folder)) return false;
    snprintf(server->socket, sizeof(server->socket), "%s/socket", server->folder);
    server->pid = fork();
    if (server->pid == 0) run_server(server, program, arguments);
    for (int i = 0; server->pid > 0 && i < 2000; i++) {
        if (listens(server)) return true;
        if (waitpid(server->pid, NULL, WNOHANG) == server->pid) return false;
        usleep(5000);
    }
    return false;
}

void redis_server_stop(struct redis_server *server) {
    if (server->pid > 0) {
        kill(server->pid, SIGKILL);
        waitpid(server->pid, NULL, 0);
    }
    unlink(server->socket);
    rmdir(server->folder);
    server->pid = 0;
}
