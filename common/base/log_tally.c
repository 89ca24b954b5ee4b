/* See log_tally.h. Two tables of the same: of sources, in sets of which the eldest makes room, and of kinds.
 */
#include "base/log_tally.h"

#include <string.h>
#include <time.h>

#define TEXT_BYTES 256
#define SETS 32
#define WAYS 4
#define KINDS 128 /* more than there are places in a program that log */

struct tally {
    uint64_t hash, since_ms; /* `hash` 0: nobody's */
    unsigned seen, held_back;
    enum log_level level;
    const char *component;
    size_t len;
    char text[TEXT_BYTES]; /* the last one that was held back */
};

static struct tally sources[SETS][WAYS], kinds[KINDS];
static uint64_t next_look_ms; /* 0: nothing is held back */

static uint64_t now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t len) {
    const unsigned char *at = bytes;
    for (size_t i = 0; i < len; i++) hash = (hash ^ at[i]) * 1099511628211u;
    return hash;
}

static uint64_t hash_kind(const struct log_line *line) {
    uint64_t hash =
        hash_bytes(14695981039346656037u, (const void *)&line->component, sizeof(line->component));
    return hash_bytes(hash, (const void *)&line->format, sizeof(line->format)) | 1;
}

static bool is_over(const struct tally *tally, uint64_t now) {
    return now - tally->since_ms >= LOG_REPEAT_MS;
}

static void begin(struct tally *tally, uint64_t hash, const struct log_line *line, uint64_t now) {
    *tally =
        (struct tally){.hash = hash, .since_ms = now, .level = line->level, .component = line->component};
}

static void hold_back(struct tally *tally, struct view text, unsigned lines) {
    tally->held_back += lines;
    tally->len = text.len < TEXT_BYTES ? text.len : TEXT_BYTES;
    if (tally->len) memcpy(tally->text, text.ptr, tally->len);
    uint64_t over_ms = tally->since_ms + LOG_REPEAT_MS;
    if (!next_look_ms || over_ms < next_look_ms) next_look_ms = over_ms;
}

static void tell_one(struct tally *tally, log_tally_tell_fn *tell) {
    unsigned lines = tally->held_back;
    tally->held_back = 0;
    if (lines) tell(tally->level, tally->component, view_of(tally->text, tally->len), lines);
}

/* The kind's own; with all places taken several share one, which only makes it stricter. */
static struct tally *find_kind(const struct log_line *line, log_tally_tell_fn *tell, uint64_t now) {
    uint64_t hash = hash_kind(line);
    struct tally *found = NULL;
    for (size_t i = 0; i < KINDS && !found; i++) {
        struct tally *kind = &kinds[(hash + i) % KINDS];
        if (kind->hash == hash || kind->hash == 0) found = kind;
    }
    if (!found) found = &kinds[hash % KINDS];
    if (found->hash && !is_over(found, now)) return found;
    tell_one(found, tell);
    begin(found, hash, line, now);
    return found;
}

static struct tally *eldest_of(struct tally set[WAYS]) {
    struct tally *eldest = set;
    for (size_t i = 1; i < WAYS; i++)
        if (set[i].since_ms < eldest->since_ms) eldest = &set[i];
    return eldest;
}

/* Sources that make room for each other again and again must not fill the log with what they leave: then it
 * is the kind's. */
static void forget(struct tally *source, struct tally *kind, log_tally_tell_fn *tell) {
    if (!source->held_back) return;
    if (kind->component == source->component && kind->seen >= LOG_KIND_LINES)
        hold_back(kind, view_of(source->text, source->len), source->held_back);
    else
        tell_one(source, tell);
    kind->seen++;
    source->held_back = 0;
}

static struct tally *find_source(const struct log_line *line, struct tally *kind, log_tally_tell_fn *tell,
                                 uint64_t now) {
    uint64_t hash = hash_bytes(hash_kind(line), line->source.ptr, line->source.len) | 1;
    struct tally *set = sources[(hash >> 1) % SETS], *found = NULL;
    for (size_t i = 0; i < WAYS; i++)
        if (set[i].hash == hash) found = &set[i];
    if (found && !is_over(found, now)) return found;
    if (!found) found = eldest_of(set);
    forget(found, kind, tell);
    begin(found, hash, line, now);
    return found;
}

bool log_tally_admits(const struct log_line *line, log_tally_tell_fn *tell) {
    uint64_t now = now_ms();
    struct tally *kind = find_kind(line, tell, now), *source = find_source(line, kind, tell, now);
    struct tally *full = source->seen >= LOG_REPEATS ? source : kind->seen >= LOG_KIND_LINES ? kind : NULL;
    if (full) {
        hold_back(full, line->text, 1);
        return false;
    }
    source->seen++;
    kind->seen++;
    return true;
}

static void look_at(struct tally *tally, bool all, uint64_t now, log_tally_tell_fn *tell) {
    if (!tally->held_back) return;
    uint64_t over_ms = tally->since_ms + LOG_REPEAT_MS;
    if (all || over_ms <= now) {
        tell_one(tally, tell);
        tally->seen = 0;
    } else if (!next_look_ms || over_ms < next_look_ms) {
        next_look_ms = over_ms;
    }
}

void log_tally_tell(bool all, log_tally_tell_fn *tell) {
    uint64_t now = 0;
    if (!next_look_ms || (!all && (now = now_ms()) < next_look_ms)) return;
    next_look_ms = 0;
    for (size_t i = 0; i < SETS * WAYS; i++) look_at(&sources[i / WAYS][i % WAYS], all, now, tell);
    for (size_t i = 0; i < KINDS; i++) look_at(&kinds[i], all, now, tell);
}
