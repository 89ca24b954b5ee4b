/* See setting_groups.h. */
#include "config/setting_groups.h"

const struct setting *setting_next_shown(const struct setting *setting) {
    const struct setting *end = config_settings + config_settings_count;
    for (setting = setting ? setting + 1 : config_settings; setting < end; setting++)
        if (setting_is_shown(setting)) return setting;
    return NULL;
}

const struct setting *setting_group(const struct setting *setting) {
    while (!setting->group) setting--;
    return setting;
}

const struct setting *setting_next_group(const struct setting *group) {
    for (const struct setting *setting = group; (setting = setting_next_shown(setting));)
        if (setting_group(setting) != group) return setting_group(setting);
    return NULL;
}
