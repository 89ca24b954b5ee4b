/* The log as one JSON object a line on standard output, which Lambda keeps: time, level, component, message,
 * and what it was about. */
#ifndef AWS_ADAPTER_LOG_JSON_H
#define AWS_ADAPTER_LOG_JSON_H

#include "base/log.h"

/* From now on, for the whole process. */
void log_json_start(void);
/* What was counted since the last time, a line or more (metrics/metrics_emf.h). */
void log_json_metrics(void);
/* What the lines that follow are about; absent: nothing. Copied. */
void log_json_request(struct view request_id);
void log_json_tunnel(struct view tunnel_id);

#endif
