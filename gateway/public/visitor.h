/* The public side: visitors' HTTP/1.1 connections, each request an exchange of the core.
 *
 * The sockets are ours (visit.h has one's state machine). What is read and written decides nothing: the
 * core's request gate sees the raw target and all fields. */
#ifndef GATEWAY_VISITOR_H
#define GATEWAY_VISITOR_H

#include "handler/core.h"
#include "net/loop.h"
#include "sockets/porch.h"

struct visitor_settings {
    uint64_t header_timeout_ms;    /* for the whole head of a request */
    size_t head_bytes;             /* the most that it may have; as the core's limits.headers_bytes */
    uint64_t keepalive_timeout_ms; /* between requests */
    uint64_t body_idle_timeout_ms; /* silence of the visitor within a body, either way */
    size_t min_rate;               /* bytes a second that he sends of a body, or reads, at least; 0: any */
    uint64_t min_rate_grace_ms;    /* on the average of so long a time */
};

struct visitors;

/* NULL without memory. `core` outlives the visitors, and so does `proxied`, which counts the requests of
 * those who come through trusted proxies. */
struct visitors *visitors_new(struct loop *loop, struct core *core, const struct visitor_settings *settings,
                              struct clients *proxied);
/* A porch_fn; ctx is the visitors. */
void visitors_accept(void *ctx, const struct conn *conn, struct client *client,
                     const struct sockaddr *address, socklen_t len);
/* A clients_spare_fn; ctx is the visitors. Ends the connection that has carried no request for the longest
 * time; when all carry one, that whose visitor has stalled for longest. */
bool visitors_spare(void *ctx);
/* Cuts the visitor who has most of an answer unread; false when nobody has any. */
bool visitors_shed(struct visitors *visitors);
/* From now on connections end with the request that they carry. */
void visitors_close_after(struct visitors *visitors);
/* Another process takes their connections over: each when it is between two requests, now or later. False:
 * this one did not get through, and ends; or it is tried again, where errno is EAGAIN. `ctx` is borrowed
 * until visitors_stop(). */
typedef bool visitors_pass_fn(void *ctx, int fd);
void visitors_hand_over(struct visitors *visitors, visitors_pass_fn *pass, void *ctx);
/* Ends those that carry none; one that is new may still bring one, for a second. */
void visitors_drain(struct visitors *visitors);
/* Requests under way, and those that may still come after visitors_drain(), or are still to be passed on. */
size_t visitors_busy(const struct visitors *visitors);
/* Cuts what is left. Memory goes in visitors_free, after the loop has run the close callbacks. NULL is fine
 * for both. */
void visitors_stop(struct visitors *visitors);
void visitors_free(struct visitors *visitors);

#endif
