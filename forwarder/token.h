/* The token that a gateway asks for: given once, or in a file that is read again for each connection, so that
 * who renews it need not start ttf again, or printed by a command (token_command.h). */
#ifndef FORWARDER_TOKEN_H
#define FORWARDER_TOKEN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/view.h"

#define TOKEN_MAX 8192 /* bytes */

struct token {
    const char *given;        /* borrowed; NULL: none */
    const char *path;         /* borrowed; NULL: no file */
    const char *command;      /* borrowed; NULL: none */
    char text[TOKEN_MAX + 1]; /* of file or command, when it was last read; "": not yet */
};

/* Neither empty nor too long, and nothing in it that could end a header line. */
bool token_is_sane(const char *text);
/* Reads the file, where there is one. False, and why: what was read before stays. */
bool token_refresh(struct token *token, char *error, size_t error_size);
/* It may be another one the next time. */
static inline bool token_is_renewed(const struct token *token) {
    return token->path || token->command;
}
/* NULL: there is none. */
const char *token_text(const struct token *token);
/* A token at the begin of bytes that somebody else wrote: one word, with white space behind it at most.
 * False: *ret_why (static). */
bool token_take(struct view bytes, char out[TOKEN_MAX + 1], const char **ret_why);

#endif
