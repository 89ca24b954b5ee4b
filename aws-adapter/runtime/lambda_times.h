/* Times that are settings of the function, under the names that they have at gateways: REQUEST_TIMEOUT,
 * RECONNECT_GRACE, OFFLINE_KEEP. */
#ifndef AWS_ADAPTER_LAMBDA_TIMES_H
#define AWS_ADAPTER_LAMBDA_TIMES_H

#include "handler/core.h"

/* What is not set stays as it is. False, and in `why` what is wrong with which variable. */
bool lambda_times_read(struct core_settings *settings, char why[256]);

#endif
