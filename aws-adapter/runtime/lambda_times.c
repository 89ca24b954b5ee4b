#include "runtime/lambda_times.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/units.h"

static bool read_time(const char *name, uint64_t *ret_ms, char why[256]) {
    const char *value = getenv(name);
    if (!value || !*value || duration_parse(view_from_cstr(value), ret_ms)) return true;
    snprintf(why, 256, "%s: expected a time such as 500ms, 25s or 5m", name);
    return false;
}

bool lambda_times_read(struct core_settings *settings, char why[256]) {
    bool ok = read_time("REQUEST_TIMEOUT", &settings->request_timeout_ms, why) &&
              read_time("RECONNECT_GRACE", &settings->grace_ms, why) &&
              read_time("OFFLINE_KEEP", &settings->keep_anonymous_ms, why);
    if (!ok || settings->request_timeout_ms > 0) return ok;
    snprintf(why, 256, "REQUEST_TIMEOUT: it may not be 0");
    return false;
}
