/* `ttf-gateway print bash|zsh|fish|man`, and the same of ttf-apigw: completions for shells and the man page,
 * made of the table of settings. */
#ifndef GATEWAY_CONFIG_TEXTS_H
#define GATEWAY_CONFIG_TEXTS_H

/* argv[0] is "print". The exit code; why it is not 0 is on standard error. */
int config_texts_command(int argc, char **argv);

#endif
