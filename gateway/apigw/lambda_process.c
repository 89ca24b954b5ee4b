/* See lambda_process.h. Not uv_spawn(): it has no way to tie the child's life to ours, and a frozen orphan
 * would stay for ever. */
#include "apigw/lambda_process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static char **with_runtime(char *const *environment, char *runtime) {
    size_t count = 0;
    while (environment[count]) count++;
    char **all = calloc(count + 2, sizeof(*all));
    if (!all) return NULL;
    for (size_t i = 0; i < count; i++) all[i] = environment[i];
    all[count] = runtime;
    return all;
}

static void become(const char *program, char **environment, pid_t parent) {
    char *const arguments[] = {(char *)(uintptr_t)program, NULL};
    sigset_t none;
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(127);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    int null = open("/dev/null", O_RDONLY);
    if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(STDERR_FILENO, STDOUT_FILENO) < 0) _exit(127);
    execve(program, arguments, environment);
    _exit(127);
}

pid_t lambda_process_start(const char *program, char *const *environment, uint16_t runtime_port) {
    char runtime[64];
    snprintf(runtime, sizeof(runtime), "AWS_LAMBDA_RUNTIME_API=127.0.0.1:%u", runtime_port);
    char **all = with_runtime(environment, runtime);
    pid_t parent = getpid(), pid = all ? fork() : -1;
    if (pid == 0) become(program, all, parent);
    if (pid > 0) setpgid(pid, pid); /* here too: whoever is first, the group is there from now on */
    free(all);
    return pid;
}

void lambda_process_freeze(pid_t pid) {
    kill(-pid, SIGSTOP);
}

void lambda_process_thaw(pid_t pid) {
    kill(-pid, SIGCONT);
}

void lambda_process_kill(pid_t pid) {
    kill(-pid, SIGKILL);
}

bool lambda_process_ended(pid_t pid, int *ret_how) {
    pid_t got;
    *ret_how = 0;
    do got = waitpid(pid, ret_how, WNOHANG);
    while (got < 0 && errno == EINTR);
    if (got > 0) lambda_process_kill(pid); /* what it has left behind */
    return got != 0;
}
