/* A process of the function, with all that it starts itself (its process group): started, frozen, thawed,
 * killed. It dies with us, however we die. */
#ifndef GATEWAY_APIGW_LAMBDA_PROCESS_H
#define GATEWAY_APIGW_LAMBDA_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Its standard output goes to our standard error. `environment` ends with NULL; AWS_LAMBDA_RUNTIME_API is
 * added to it. -1, with errno, when there is no process to be had; that the program cannot be run shows as
 * exit code 127. */
pid_t lambda_process_start(const char *program, char *const *environment, uint16_t runtime_port);

void lambda_process_freeze(pid_t pid);
void lambda_process_thaw(pid_t pid);
void lambda_process_kill(pid_t pid);
/* True once it has ended, also when it had already been waited for; *ret_how is then what waitpid() gives.
 * What it has started ends with it. */
bool lambda_process_ended(pid_t pid, int *ret_how);

#endif
