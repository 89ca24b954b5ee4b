/* The tables of settings and commands as texts: --help, man pages, completions for shells, and the JSON
 * schema of ttf.yaml. */
#ifndef FORWARDER_OPTION_TEXTS_H
#define FORWARDER_OPTION_TEXTS_H

#include <stdbool.h>
#include <stdio.h>

/* Of a command that has more to say; or of a topic: a group of options (base/help.h), or HELP_ALL. With
 * neither of them (NULL, or a word that is none): what is needed most, and the topics. */
void options_help(FILE *out, const char *command, const char *topic);

/* What `ttf print` may be asked for, as one line for people. */
#define OPTION_TEXTS "bash, zsh, fish, man, man-yaml, schema"
/* False: there is no such text. */
bool option_text_print(const char *what, FILE *out);

#endif
