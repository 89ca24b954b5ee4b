/* See config.h. */
#include "config/config.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/edits.h"
#include "config/config_parse.h"
#include "yaml/config_file.h"

/* The flags of one command line, before any of them has been looked into. */
struct flags {
    struct view values[SETTINGS_MAX]; /* absent: not said */
};

static size_t index_of(const struct setting *setting) {
    return (size_t)(setting - config_settings);
}

const struct setting *config_setting_at(const struct config *config, const void *member) {
    size_t offset = (size_t)((const char *)member - (const char *)config);
    for (size_t i = 0; i < config_settings_count; i++)
        if (config_settings[i].offset == offset) return &config_settings[i];
    abort();
}

bool config_was_said(const struct config *config, const struct setting *setting) {
    return config->sources[index_of(setting)].layer != LAYER_DEFAULT;
}

const char *config_origin(const struct config *config, const struct setting *setting,
                          char out[CONFIG_ORIGIN_MAX]) {
    const struct config_source *source = &config->sources[index_of(setting)];
    switch (source->layer) {
    case LAYER_FLAG: snprintf(out, CONFIG_ORIGIN_MAX, "--%s", setting->name); break;
    case LAYER_VARIABLE: snprintf(out, CONFIG_ORIGIN_MAX, "%s", setting->variable); break;
    case LAYER_FILE:
        snprintf(out, CONFIG_ORIGIN_MAX, "%.400s:%u: %s", config->config_file, source->line, setting->name);
        break;
    case LAYER_DESCRIPTION:
        snprintf(out, CONFIG_ORIGIN_MAX, "%.400s: %s", config->description, source->place);
        break;
    case LAYER_DEFAULT: snprintf(out, CONFIG_ORIGIN_MAX, "%s", setting->name); break;
    }
    return out;
}

/* ---- one value from one layer ---- */

static int take_value(struct config *config, const struct setting *setting, enum config_layer layer,
                      unsigned line, struct view value) {
    char origin[CONFIG_ORIGIN_MAX];
    config->sources[index_of(setting)] = (struct config_source){.layer = layer, .line = line};
    const char *why = config_set(config, setting, value);
    if (!why) return 0;
    fprintf(stderr, "%s: %s \"%.*s\": %s\n", program_name(), config_origin(config, setting, origin),
            VIEW_ARG(setting->is_secret ? VIEW("***") : view_slice(value, 0, 200)), why);
    return 2;
}

/* ---- flags ---- */

static int bad_flag(struct view argument, const char *why) {
    fprintf(stderr, "%s: %.*s: %s\n", program_name(), VIEW_ARG(argument), why);
    return 2;
}

/* A command that was mistyped, or does not stand first; NULL: it is like none. */
static const char *nearest_command(struct view word) {
    struct nearest nearest = {.word = word, .most = edits_allowed(word)};
    for (size_t i = 0; i < config_commands_count; i++)
        if (settings_are_of(config_commands[i].only) || config_commands[i].only == PROGRAM_BOTH)
            nearest_offer(&nearest, config_commands[i].name);
    return nearest.name;
}

static int unknown_flag(struct view argument) {
    const char *command = nearest_command(argument);
    if (command) {
        fprintf(stderr, "%s: unexpected \"%.*s\" (did you mean %s as the first word?)\n", program_name(),
                VIEW_ARG(argument), command);
        return 2;
    }
    struct view name = view_slice(argument, 0, view_find(argument, '='));
    while (name.len && name.ptr[0] == '-') name = view_skip(name, 1);
    const struct setting *nearest = setting_nearest(name);
    fprintf(stderr, "%s: unknown flag \"%.*s\"", program_name(), VIEW_ARG(argument));
    if (setting_is_of_other(name)) {
        fprintf(stderr, ": it is a setting of %s\n", program_other_name());
        return 2;
    }
    if (nearest && setting_is_flag(nearest))
        fprintf(stderr, ", did you mean --%s?\n", nearest->name);
    else if (nearest)
        fprintf(stderr, ": a secret is no flag, for others can read command lines; use $%s or --%s-file\n",
                nearest->variable, nearest->name);
    else
        fprintf(stderr, " (see %s --help all)\n", program_name());
    return 2;
}

static const struct setting *find_flag(struct view argument) {
    if (argument.len == 2 && argument.ptr[0] == '-') return setting_by_letter(argument.ptr[1]);
    if (!view_starts_with(argument, VIEW("--"))) return NULL;
    struct view name = view_skip(argument, 2);
    const struct setting *setting = setting_by_name(view_slice(name, 0, view_find(name, '=')));
    return setting && setting_is_flag(setting) ? setting : NULL;
}

/* Takes one flag and its value off; the exit code, or 0. */
static int split_flag(struct flags *flags, int argc, char **argv, int *i) {
    struct view argument = view_from_cstr(argv[*i]);
    const struct setting *setting = find_flag(argument);
    if (!setting) return unknown_flag(argument);
    struct view *value = &flags->values[index_of(setting)];
    size_t equals = view_find(argument, '=');
    bool word_follows = *i + 1 < argc && argv[*i + 1][0] != '-';
    if (value->ptr) return bad_flag(argument, "said twice");
    if (equals < argument.len)
        *value = view_skip(argument, equals + 1);
    else if (setting->kind == KIND_DO || (setting_may_stand_alone(setting) && !word_follows))
        *value = setting->kind == KIND_TOPIC ? VIEW(HELP_USUAL) : VIEW("true");
    else if (*i + 1 < argc)
        *value = view_from_cstr(argv[++*i]);
    else
        return bad_flag(argument, "a value is missing");
    return 0;
}

static int split_flags(struct flags *flags, int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        int code = split_flag(flags, argc, argv, &i);
        if (code) return code;
    }
    return 0;
}

static int take_flags(struct config *config, const struct flags *flags) {
    for (size_t i = 0; i < config_settings_count; i++) {
        if (!flags->values[i].ptr) continue;
        int code = take_value(config, &config_settings[i], LAYER_FLAG, 0, flags->values[i]);
        if (code) return code;
    }
    return 0;
}

/* ---- variables ---- */

/* One that is empty counts as unset. */
static struct view variable_of(const struct setting *setting) {
    bool counts = setting->variable && setting_applies(setting);
    const char *text = counts ? getenv(setting->variable) : NULL;
    return text && *text ? view_from_cstr(text) : (struct view){0};
}

static int take_variables(struct config *config) {
    for (size_t i = 0; i < config_settings_count; i++) {
        struct view value = variable_of(&config_settings[i]);
        int code = value.ptr ? take_value(config, &config_settings[i], LAYER_VARIABLE, 0, value) : 0;
        if (code) return code;
    }
    return 0;
}

/* ---- the file ---- */

static bool unknown_entry(const struct config_entry *entry, struct config_problem *problem) {
    const struct setting *nearest = setting_nearest(entry->name);
    struct view name = view_slice(entry->name, 0, 60);
    if (setting_is_of_other(entry->name))
        snprintf(problem->text, sizeof(problem->text), "\"%.*s\" is a setting of %s", VIEW_ARG(name),
                 program_other_name());
    else if (nearest && setting_is_in_file(nearest))
        snprintf(problem->text, sizeof(problem->text), "unknown setting \"%.*s\", did you mean %s?",
                 VIEW_ARG(name), nearest->name);
    else
        snprintf(problem->text, sizeof(problem->text), "unknown setting \"%.*s\" (see %s --help all)",
                 VIEW_ARG(name), program_name());
    return false;
}

static bool take_entry(void *ctx, const struct config_entry *entry, struct config_problem *problem) {
    struct config *config = ctx;
    const struct setting *setting = setting_by_name(entry->name);
    if (!setting || !setting_is_in_file(setting)) return unknown_entry(entry, problem);
    struct config_source *source = &config->sources[index_of(setting)];
    const char *why = NULL;
    if (source->layer == LAYER_FILE) {
        snprintf(problem->text, sizeof(problem->text), "%s is already in line %u", setting->name,
                 source->line);
        return false;
    }
    if (entry->is_list && setting->kind != KIND_LIST)
        why = "expected one value, not a list";
    else if (entry->value.len == 0 && setting->kind != KIND_LIST)
        why = "a value is missing";
    else
        why = config_set(config, setting, entry->value);
    *source = (struct config_source){.layer = LAYER_FILE, .line = entry->line};
    if (why)
        snprintf(problem->text, sizeof(problem->text), "%s \"%.*s\": %s", setting->name,
                 VIEW_ARG(setting->is_secret ? VIEW("***") : view_slice(entry->value, 0, 60)), why);
    return !why;
}

static int take_file(struct config *config, const struct flags *flags) {
    const struct setting *setting = config_setting_at(config, &config->config_file);
    struct view path = flags->values[index_of(setting)];
    struct config_problem problem;
    if (!path.ptr) path = variable_of(setting);
    if (!path.ptr) return 0;
    if (config_set(config, setting, path)) return 2;
    if (config_file_read(config->config_file, take_entry, config, &problem)) return 0;
    if (problem.line)
        fprintf(stderr, "%s: %s:%u: %s\n", program_name(), config->config_file, problem.line, problem.text);
    else
        fprintf(stderr, "%s: %s: %s\n", program_name(), config->config_file, problem.text);
    return 2;
}

/* ---- the description ---- */

/* Of the kinds that descriptions speak of. */
static bool is_same(const struct setting *setting, const struct config *config, const struct config *other) {
    const void *one = (const char *)config + setting->offset, *two = (const char *)other + setting->offset;
    switch (setting->kind) {
    case KIND_TEXT: return strcmp(*(char *const *)one, *(char *const *)two) == 0;
    case KIND_BOOL: return *(const bool *)one == *(const bool *)two;
    case KIND_ANSWER: return *(const enum answer *)one == *(const enum answer *)two;
    case KIND_DURATION: return *(const uint64_t *)one == *(const uint64_t *)two;
    case KIND_SIZE: return *(const size_t *)one == *(const size_t *)two;
    default: return false;
    }
}

static int contradicts(const struct config *config, const struct setting *setting, const char *place) {
    char origin[CONFIG_ORIGIN_MAX];
    fprintf(stderr, "%s: %s and %s: %s contradict each other: leave the one away, or change the other\n",
            program_name(), config_origin(config, setting, origin), config->description, place);
    return 2;
}

static int not_described(const struct config *config, const char *place, const char *why) {
    fprintf(stderr, "%s: %s: %s: %s\n", program_name(), config->description, place, why);
    return 2;
}

int config_describe(struct config *config, const struct setting *setting, const char *place,
                    struct view value) {
    struct config described = {.domain = NULL};
    const char *why = value.ptr ? config_set(&described, setting, value) : NULL;
    bool was_said = config_was_said(config, setting);
    int code = 0;
    if (why)
        code = not_described(config, place, why);
    else if (was_said && (!value.ptr || !is_same(setting, config, &described)))
        code = contradicts(config, setting, place);
    config_done(&described);
    if (code || was_said || !value.ptr) return code;
    struct config_source *source = &config->sources[index_of(setting)];
    source->layer = LAYER_DESCRIPTION;
    snprintf(source->place, sizeof(source->place), "%s", place);
    why = config_set(config, setting, value);
    return why ? not_described(config, place, why) : 0;
}

/* ---- the module ---- */

static void take_defaults(struct config *config) {
    for (size_t i = 0; i < config_settings_count; i++)
        if (setting_fallback(&config_settings[i]))
            config_set(config, &config_settings[i], view_from_cstr(setting_fallback(&config_settings[i])));
}

static bool wants_text(const struct config *config) {
    return config->help || config->wants_version || config->wants_markdown || config->wants_metrics;
}

static int parse(struct config *config, int argc, char **argv) {
    struct flags flags = {0};
    take_defaults(config);
    int code = split_flags(&flags, argc, argv);
    if (!code) code = take_flags(config, &flags);
    if (code || wants_text(config)) return code;
    code = take_file(config, &flags);
    if (!code) code = take_variables(config);
    return code ? code : take_flags(config, &flags); /* again: over the others */
}

bool config_load(struct config *config, int argc, char **argv, int *ret_exit) {
    *config = (struct config){.domain = NULL};
    *ret_exit = parse(config, argc, argv);
    return *ret_exit == 0;
}

bool config_init_with(struct config *config, int argc, char **argv, config_more_fn *more, void *ctx,
                      int *ret_exit) {
    bool loaded = config_load(config, argc, argv, ret_exit);
    bool runs = loaded && !wants_text(config) && !config->wants_health;
    if (runs && more) *ret_exit = more(ctx, config);
    if (runs && *ret_exit == 0) *ret_exit = config_check(config);
    return *ret_exit == 0;
}

bool config_init(struct config *config, int argc, char **argv, int *ret_exit) {
    return config_init_with(config, argc, argv, NULL, NULL, ret_exit);
}

void config_done(struct config *config) {
    for (size_t i = 0; i < config_settings_count; i++) {
        void *place = (char *)config + config_settings[i].offset;
        struct text_list *list = place;
        if (config_settings[i].kind == KIND_TEXT || config_settings[i].kind == KIND_TOPIC)
            free(*(char **)place);
        if (config_settings[i].kind != KIND_LIST) continue;
        free(list->items);
        free(list->storage);
    }
    free(config->proxies);
}

bool config_speaks(const struct config *config, struct view protocol) {
    for (size_t i = 0; i < config->agent_protocols.count; i++)
        if (view_eq(config->agent_protocols.items[i], protocol)) return true;
    return false;
}
