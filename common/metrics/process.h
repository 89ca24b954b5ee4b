/* What the system counts of this process. */
#ifndef METRICS_PROCESS_H
#define METRICS_PROCESS_H

/* Sets the families process_*. Reads /proc/self: what is not there stays 0. */
void metrics_read_process(void);

#endif
