/* hiredis' asynchronous contexts on our libuv loop. hiredis' own adapter passes over poll errors in silence;
 * here they end the context as a failed read does. */
#ifndef STORE_REDIS_LOOP_H
#define STORE_REDIS_LOOP_H

#include <hiredis/async.h>
#include <stdbool.h>
#include <uv.h>

/* False when libuv cannot watch the socket; the context is then still the caller's. */
bool redis_loop_attach(redisAsyncContext *context, uv_loop_t *loop);

#endif
