/* `ttf-gateway admin`: the administration of running gateways from a terminal. */
#ifndef GATEWAY_ADMIN_COMMAND_H
#define GATEWAY_ADMIN_COMMAND_H

/* argv[0] is "admin". The exit code: 0; 1: it did not work; 2: what was said makes no sense. */
int admin_command(int argc, char **argv);

#endif
