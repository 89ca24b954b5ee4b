/* What the function returns, as JSON. */
#ifndef AWS_ADAPTER_LAMBDA_ANSWER_H
#define AWS_ADAPTER_LAMBDA_ANSWER_H

#include "runtime/lambda_event.h"

/* An answer to a visitor, in the shape of `kind` (LAMBDA_HTTP_1: repeated fields apart; LAMBDA_HTTP_2: joined
 * by commas, but Set-Cookie apart). Bodies are base64. */
bool lambda_answer_http(struct buf *out, enum lambda_kind kind, int status, const struct headers *headers,
                        struct view body);

/* `{"statusCode":…}`, with a body where there is a reason. */
bool lambda_answer_status(struct buf *out, int status, const char *reason);

#endif
