/* `ttf-gateway token --sub NAME [--ttl 30d]`: prints a token for an agent, made with the gateway's settings
 * (JWT_SECRET and the like, from flags, variables and the config file). */
#ifndef GATEWAY_TOKEN_COMMAND_H
#define GATEWAY_TOKEN_COMMAND_H

/* argv[0] is "token". The exit code; why it is not 0 is on standard error. */
int token_command(int argc, char **argv);

#endif
