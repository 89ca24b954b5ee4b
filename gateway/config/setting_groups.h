/* The settings that texts for people tell of, one after another, and their groups. A group is known by the
 * setting that has its heading, which may itself be one that is not told of. */
#ifndef GATEWAY_SETTING_GROUPS_H
#define GATEWAY_SETTING_GROUPS_H

#include "config/config_table.h"

/* Behind that one, or the first for NULL; NULL: there is none. */
const struct setting *setting_next_shown(const struct setting *setting);
const struct setting *setting_group(const struct setting *setting);
/* As above, of groups that have any. */
const struct setting *setting_next_group(const struct setting *group);

#endif
