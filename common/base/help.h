/* What `--help` looks like in every program here: on the left a name, beside it what it means, broken between
 * words, under headings. A topic, for which `--help TOPIC` may ask, is the first word of a heading in small
 * letters: "names" of "Names and URLs". */
#ifndef BASE_HELP_H
#define BASE_HELP_H

#include <stdio.h>

#include "base/view.h"

#define HELP_ALL "all" /* the topic of all topics */
#define HELP_WIDTH 100 /* of a line; a word that is longer stays whole */

/* One name and its text, which begins at `column`; or a line below, where the name is too long for that. */
void help_put(FILE *out, const char *name, size_t column, const char *text);
/* A line of topics: the name of the heading's topic, and `about`. */
void help_put_topic(FILE *out, const char *heading, const char *about);
bool help_is_topic(const char *heading, struct view word);

#define HELP_NAME_MAX 16 /* of a topic, with its NUL */
/* Fills `out`, and returns it. */
const char *help_name(const char *heading, char out[HELP_NAME_MAX]);

#endif
