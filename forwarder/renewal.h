/* Moves a tunnel to a fresh connection before the token of the one that it has ends, where there may be
 * another token by then: the file is read, or the command asked, some time before, and again when half of
 * what is left is over, until the token is another one than the connection has shown. Where that does not
 * come about, and the gateway does not say so (on AWS nobody is there to), it tells of the end. */
#ifndef FORWARDER_RENEWAL_H
#define FORWARDER_RENEWAL_H

#include "net/loop.h"
#include "token_command.h"

struct renewal {
    struct loop *loop;
    struct token *token;
    struct token_command *command; /* NULL: there is none */
    void (*renewed)(struct renewal *renewal);
    void (*ended)(struct renewal *renewal);
    char *shown;     /* what the connection has shown; NULL: nothing */
    uint64_t end_ms; /* of it, by the loop's clock */
    struct timer timer;
    struct token_wait wait;
};

/* Borrows all; `command` may be NULL. `renewed` or `ended` comes, not from within a call. */
void renewal_init(struct renewal *renewal, struct loop *loop, struct token *token,
                  struct token_command *command, void (*renewed)(struct renewal *renewal),
                  void (*ended)(struct renewal *renewal));
/* A connection is made with the token as it is now. */
void renewal_note(struct renewal *renewal);
/* That token is good for so long, the gateway says; 0: it does not say. */
void renewal_start(struct renewal *renewal, uint64_t token_s);
void renewal_stop(struct renewal *renewal);
void renewal_done(struct renewal *renewal);

#endif
