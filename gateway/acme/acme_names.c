/* See acme_names.h. */
#include "acme/acme_names.h"

#include <string.h>

#define LABEL_MAX 63

static bool is_label(struct view label) {
    if (label.len == 0 || label.len > LABEL_MAX) return false;
    for (size_t i = 0; i < label.len; i++) {
        char byte = label.ptr[i];
        bool is_letter = (byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9');
        if (!is_letter && byte != '-') return false;
    }
    return label.ptr[0] != '-' && label.ptr[label.len - 1] != '-';
}

bool acme_name_is_good(struct view name) {
    struct view rest = name, label = {0};
    size_t labels = 0;
    if (name.len == 0 || name.len > ACME_NAME_MAX) return false;
    while (view_split(&rest, '.', &label)) {
        if (!is_label(label)) return false;
        labels++;
    }
    return labels >= 2 && (label.ptr[0] < '0' || label.ptr[0] > '9'); /* the last of an address is a number */
}

struct acme_name *acme_names_find(struct acme_names *names, struct view text) {
    for (size_t i = 0; i < names->count; i++)
        if (view_eq(view_from_cstr(names->items[i].text), text)) return &names->items[i];
    return NULL;
}

struct acme_name *acme_names_add(struct acme_names *names, struct view text, bool is_ours) {
    struct acme_name *name = acme_names_find(names, text);
    if (name) return name;
    if (names->count == ACME_NAMES_ROOM || !acme_name_is_good(text)) return NULL;
    name = &names->items[names->count++];
    *name = (struct acme_name){.is_ours = is_ours};
    view_copy_to(text, name->text, sizeof(name->text));
    memcpy(name->wildcard, "*.", 2);
    view_copy_to(text, name->wildcard + 2, sizeof(name->wildcard) - 2);
    return name;
}

void acme_names_remove(struct acme_names *names, struct acme_name *name) {
    *name = names->items[--names->count]; /* ours, which are first, are never removed */
}

struct acme_name *acme_names_next(struct acme_names *names) {
    struct acme_name *next = NULL;
    for (size_t i = 0; i < names->count; i++)
        if (!next || names->items[i].due_ms < next->due_ms) next = &names->items[i];
    return next;
}

size_t acme_name_views(const struct acme_name *name, struct view out[ACME_NAMES_MAX]) {
    out[0] = view_from_cstr(name->text);
    out[1] = view_from_cstr(name->wildcard);
    return name->has_wildcard ? 2 : 1;
}

void acme_name_failed(struct acme_name *name) {
    name->failures = name->failures < ACME_FAILURES_MAX ? name->failures + 1 : ACME_FAILURES_MAX - 1;
}

uint64_t acme_renewal_ms(int64_t begin_s, int64_t end_s, uint32_t random) {
    if (begin_s < 0 || end_s <= begin_s) return 0;
    uint64_t life_ms = (uint64_t)(end_s - begin_s) * 1000;
    return (uint64_t)begin_s * 1000 + life_ms / 3 * 2 + random % (life_ms / 50 + 1);
}

uint64_t acme_pause_ms(unsigned failures, bool is_out_of_reach, uint32_t random) {
    const uint64_t first_ms = 10000, no_ms = 900000, most_ms = is_out_of_reach ? 3600000 : 43200000;
    uint64_t wait_ms = first_ms; /* the other way, in which it may be seen, is tried soon */
    for (unsigned i = 1; i < failures && wait_ms < most_ms; i++)
        wait_ms = !is_out_of_reach && i == 1 ? no_ms : wait_ms * 2;
    if (wait_ms > most_ms) wait_ms = most_ms;
    return wait_ms - wait_ms / 5 + random % (wait_ms / 5 * 2 + 1);
}

uint64_t acme_look_ms(uint64_t left_ms) {
    const uint64_t least_ms = 10000, day_ms = 86400000;
    uint64_t wait_ms = left_ms / 4 < day_ms ? left_ms / 4 : day_ms;
    if (wait_ms < least_ms) wait_ms = least_ms;
    return wait_ms < left_ms ? wait_ms : left_ms;
}
