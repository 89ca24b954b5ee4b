/* Variables from a `.env` file: KEY=VALUE lines, `export ` in front allowed, # comments, 'literal' and
 * "escaped" values. What is not such a line is skipped: the file belongs to the project in that directory,
 * not to us. */
#ifndef FORWARDER_DOTENV_H
#define FORWARDER_DOTENV_H

#include "base/arena.h"
#include "base/status.h"

struct dotenv_entry;

struct dotenv {
    struct arena arena;
    struct dotenv_entry *newest;
};

void dotenv_init(struct dotenv *dotenv);
void dotenv_done(struct dotenv *dotenv);

/* Adds the variables of `text`; a later one wins over an earlier one of the same name. False without memory.
 */
bool dotenv_parse(struct dotenv *dotenv, struct view text);
/* Reads a file of at most 64 KiB. STATUS_NOT_FOUND where there is none, STATUS_INVALID where it is no regular
 * file: a FIFO would be waited for. */
enum status dotenv_load(struct dotenv *dotenv, const char *path);

/* NULL when unset; lives as long as the dotenv. */
const char *dotenv_get(const struct dotenv *dotenv, const char *name);
/* The process's environment first, then the file; an empty value counts as unset. */
const char *dotenv_lookup(const struct dotenv *dotenv, const char *name);

#endif
