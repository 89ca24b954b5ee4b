/* Settings that are right one by one and do not go together: what config_check() is made of, a subject a
 * file. Checks return the exit code, having said why on standard error, or 0; where two things are wrong the
 * first one is told. Warnings are of what is right, and perhaps not what was meant. */
#ifndef GATEWAY_CONFIG_CHECK_H
#define GATEWAY_CONFIG_CHECK_H

#include "config/config.h"

/* Members point into *config, and stand for the setting that lives there. Both return the exit code, 2. */
int config_complain(const struct config *config, const void *member, const char *why);
int config_contradict(const struct config *config, const void *member, const void *other, const char *why);
/* The same line, and the start goes on. */
void config_warn(const struct config *config, const void *member, const char *why);
/* Whether anybody said it, and it is no default. */
bool config_said(const struct config *config, const void *member);

int config_check_ports(struct config *config); /* fills `proxies` */
/* Puts `domain` and `names` into the form that Host fields have once they are read, and fills the two of
 * `routing`. */
int config_check_names(struct config *config);
int config_check_tls(const struct config *config);
int config_check_auth(const struct config *config);
int config_check_bounds(const struct config *config);

void config_warn_of_ports(const struct config *config);
void config_warn_of_names(const struct config *config);
void config_warn_of_auth(const struct config *config);
void config_warn_of_bounds(const struct config *config);

#endif
