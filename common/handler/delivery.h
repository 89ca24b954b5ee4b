/* How a request reaches its agent and an answer comes back: one table of functions for each protocol of
 * agents. An exchange has one from the moment its agent is known, and another when it is sent again to an
 * agent that speaks the other protocol. */
#ifndef HANDLER_DELIVERY_H
#define HANDLER_DELIVERY_H

#include "base/view.h"

struct exchange;

struct delivery {
    /* The exchange's claim is that of a live agent. From a safe point; may end the exchange. */
    void (*start)(struct exchange *exchange);
    /* More of the request's body, and its end. Also while the request waits to be sent again. */
    void (*body)(struct exchange *exchange, struct view data);
    void (*body_end)(struct exchange *exchange);
    /* So many bytes of the service's answer are done with (answer.h). */
    void (*credit)(struct exchange *exchange, size_t bytes);
    /* The step for which it has posted the exchange's task. May end the exchange. */
    void (*go_on)(struct exchange *exchange);
    /* Nothing more comes of it. Called any number of times. */
    void (*stop)(struct exchange *exchange);
};

extern const struct delivery mailbox_delivery; /* delivery_mailbox.c: protocol v1 */
extern const struct delivery stream_delivery;  /* delivery_stream.c: protocol v2 */

#endif
