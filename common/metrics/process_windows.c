/* See process.h. There is no /proc. */
#include "metrics/process.h"

void metrics_read_process(void) {
    /* all stays 0 */
}
