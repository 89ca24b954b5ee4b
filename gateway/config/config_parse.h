/* What the parts of config.c share: where each value came from, and how one complains about it. */
#ifndef GATEWAY_CONFIG_PARSE_H
#define GATEWAY_CONFIG_PARSE_H

#include "config/config.h"

/* NULL when the value was taken, or what is wrong with it (static). */
const char *config_set(struct config *config, const struct setting *setting, struct view text);

/* The setting that lives there; `member` points into *config. */
const struct setting *config_setting_at(const struct config *config, const void *member);
bool config_was_said(const struct config *config, const struct setting *setting);

#define CONFIG_ORIGIN_MAX 512
/* "--grace", "RECONNECT_GRACE", "gateway.yaml:3: grace", or "grace" for a default. */
const char *config_origin(const struct config *config, const struct setting *setting,
                          char out[CONFIG_ORIGIN_MAX]);

/* The exit code; 0 when all that was said goes together. */
int config_check(struct config *config);

#endif
