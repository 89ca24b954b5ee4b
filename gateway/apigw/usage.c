/* See usage.h. */
#include "apigw/usage.h"

#include <inttypes.h>

static const char *const source_names[SOURCE_COUNT] = {"http",       "connect", "message",
                                                       "disconnect", "stream",  "schedule"};

static bool put(struct buf *out, const char *name, uint64_t value) {
    struct view text = buf_view(out);
    const char *comma = text.ptr[text.len - 1] == '{' ? "" : ",";
    return buf_printf(out, "%s\"%s\":%" PRIu64, comma, name, value);
}

bool usage_print(const struct usage *usage, struct buf *out) {
    uint64_t invocations = 0;
    for (size_t i = 0; i < SOURCE_COUNT; i++) invocations += usage->invocations[i];
    buf_printf(out, "{");
    put(out, "requests", usage->requests);
    put(out, "invocations", invocations);
    buf_printf(out, ",\"invocationsOf\":{");
    for (size_t i = 0; i < SOURCE_COUNT; i++) put(out, source_names[i], usage->invocations[i]);
    buf_printf(out, "}");
    put(out, "errors", usage->errors);
    put(out, "timeouts", usage->timeouts);
    put(out, "throttled", usage->throttled);
    put(out, "coldStarts", usage->cold_starts);
    put(out, "billedMs", usage->billed_ms);
    put(out, "memoryMiB", usage->memory_mib);
    put(out, "environments", usage->environments);
    put(out, "messagesIn", usage->messages_in);
    put(out, "messagesOut", usage->messages_out);
    put(out, "connections", usage->connections);
    put(out, "connectionMs", usage->connection_ms);
    put(out, "dynamodbReads", usage->calls[0]);
    put(out, "dynamodbWrites", usage->calls[1]);
    put(out, "dynamodbOthers", usage->calls[2]);
    put(out, "dynamodbFailed", usage->calls[3]);
    buf_printf(out, ",\"readUnits\":%.1f,\"writeUnits\":%.1f", usage->read_units, usage->write_units);
    put(out, "idleConnectionsCut", usage->idle_cuts);
    put(out, "streamReads", usage->stream_reads);
    put(out, "streamRecords", usage->stream_records);
    put(out, "streamDropped", usage->stream_dropped);
    return buf_printf(out, "}\n");
}
