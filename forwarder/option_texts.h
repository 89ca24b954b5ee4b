/* The tables of settings and commands as texts: --help, man pages, completions for shells, and the JSON
 * schema of ttf.yaml. */
#ifndef FORWARDER_OPTION_TEXTS_H
#define FORWARDER_OPTION_TEXTS_H

#include <stdbool.h>
#include <stdio.h>

void options_help(FILE *out, const char *command);

/* What `ttf print` may be asked for, as one line for people. */
#define OPTION_TEXTS "bash, zsh, fish, man, man-yaml, schema"
/* False: there is no such text. */
bool option_text_print(const char *what, FILE *out);

#endif
