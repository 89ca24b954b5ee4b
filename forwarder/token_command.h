/* A command of the user's that prints the token (--token-command): for gateways whose tokens live shortly,
 * and for tokens that a vault keeps. /bin/sh runs it, with nothing to read and no terminal, for each
 * connection, beside the loop; who asks while it runs gets the same answer. The token is the first line that
 * it prints.
 *
 * It may take 30 s and print 8 KiB; then it is ended with all that it has started. */
#ifndef FORWARDER_TOKEN_COMMAND_H
#define FORWARDER_TOKEN_COMMAND_H

#include "base/list.h"
#include "net/loop.h"
#include "token.h"

#define TOKEN_COMMAND_MS 30000u

struct token_command;

/* Somebody who has asked; in the storage of whom it is. */
struct token_wait {
    struct list node;
    /* NULL: the token is renewed. Otherwise a line for people (borrowed until return); it is as before. */
    void (*done)(struct token_wait *wait, const char *error);
};

/* `command` and `token`, which gets what it prints, are borrowed for its life. NULL without memory. */
struct token_command *token_command_new(struct loop *loop, const char *command, struct token *token);
/* Ends what runs; who waits does not hear of it any more. Its memory goes when the loop has let go. NULL is
 * fine. */
void token_command_free(struct token_command *command);

void token_wait_init(struct token_wait *wait, void (*done)(struct token_wait *wait, const char *error));
/* `done` follows, never from within; unless it is called while it waits already. */
void token_command_ask(struct token_command *command, struct token_wait *wait);
/* It has not asked, or does not want to know any more. */
void token_wait_cancel(struct token_wait *wait);

#endif
