/* What a process counts of itself, in fixed memory: one table says all about each family of series, labels
 * are enumerations, and to count costs one addition. For the one thread of the loop. A page of all is made by
 * metrics_text.h, docs/METRICS.md by metrics_table.h. */
#ifndef METRICS_METRICS_H
#define METRICS_METRICS_H

#include <stddef.h>

#include "http/error.h"
#include "http/quota.h"

/* The label of a family, and how many values it has. */
#define METRIC_LABEL_COUNT_NOTHING 1
#define METRIC_LABEL_COUNT_STATUS METRIC_STATUS_COUNT
#define METRIC_LABEL_COUNT_ERROR METRIC_ERROR_COUNT
#define METRIC_LABEL_COUNT_PROTOCOL METRIC_PROTOCOL_COUNT
#define METRIC_LABEL_COUNT_OUTCOME METRIC_OUTCOME_COUNT
#define METRIC_LABEL_COUNT_PORT METRIC_PORT_COUNT
#define METRIC_LABEL_COUNT_DIRECTION METRIC_DIRECTION_COUNT
#define METRIC_LABEL_COUNT_RESULT METRIC_RESULT_COUNT
#define METRIC_LABEL_COUNT_VERSION 1
#define METRIC_LABEL_COUNT_QUOTA (QUOTA_END - 1)

enum {
#define X(name, status, code, text) METRIC_ERROR_OF_##name,
    HTTP_ERROR_LIST(X)
#undef X
        METRIC_ERROR_COUNT
};
enum metric_protocol { METRIC_PROTOCOL_V1, METRIC_PROTOCOL_V2, METRIC_PROTOCOL_COUNT };
enum metric_port { METRIC_PORT_PUBLIC, METRIC_PORT_AGENT, METRIC_PORT_ADMIN, METRIC_PORT_COUNT };
enum metric_direction { METRIC_DIRECTION_IN, METRIC_DIRECTION_OUT, METRIC_DIRECTION_COUNT };
enum metric_result { METRIC_RESULT_OK, METRIC_RESULT_FAILED, METRIC_RESULT_COUNT };
enum metric_status {
    METRIC_STATUS_1XX,
    METRIC_STATUS_2XX,
    METRIC_STATUS_3XX,
    METRIC_STATUS_4XX,
    METRIC_STATUS_5XX,
    METRIC_STATUS_NONE, /* there was no head */
    METRIC_STATUS_COUNT
};
enum metric_outcome { /* of an agent's wish to connect */
                      METRIC_OUTCOME_ACCEPTED,
                      METRIC_OUTCOME_MALFORMED,
                      METRIC_OUTCOME_UNAUTHORIZED,
                      METRIC_OUTCOME_FORBIDDEN,
                      METRIC_OUTCOME_NAME_TAKEN,
                      METRIC_OUTCOME_UNAVAILABLE,
                      METRIC_OUTCOME_COUNT
};

/* Upper bounds of the buckets of all histograms, in microseconds; one more has none. */
#define METRIC_BOUNDS                                                                                        \
    100, 250, 500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 500000, 1000000, 2500000, 5000000, \
        10000000, 30000000
#define METRIC_BUCKETS 18

/* Slots that one series takes: of a histogram its buckets and the sum. */
#define METRIC_WIDTH_COUNTER 1
#define METRIC_WIDTH_GAUGE 1
#define METRIC_WIDTH_INFO 1
#define METRIC_WIDTH_HISTOGRAM (METRIC_BUCKETS + 1)

/* X(id, kind, name, unit, label, help). Names by Prometheus' rules; the text adds `_total` and the like.
 * SECONDS are counted in microseconds. */
#define METRIC_LIST(X)                                                                                       \
    X(BUILD, INFO, "ttf_build", PLAIN, VERSION, "The version of the program.")                               \
    X(REQUESTS, COUNTER, "ttf_requests", PLAIN, STATUS,                                                      \
      "Visitors' requests that have ended, by the class of the answer's status; none: there was no answer.") \
    X(REQUEST_ERRORS, COUNTER, "ttf_request_errors", PLAIN, ERROR,                                           \
      "Visitors' requests that were answered with an error of ours, by its code.")                           \
    X(GATE_REFUSALS, COUNTER, "ttf_gate_refusals", PLAIN, ERROR,                                             \
      "Of these: requests that were refused before a tunnel was looked for.")                                \
    X(QUOTA_REFUSALS, COUNTER, "ttf_quota_refusals", PLAIN, QUOTA,                                           \
      "Requests of visitors, and agents that asked to be connected, that met a quota.")                      \
    X(QUOTA_HELD, COUNTER, "ttf_quota_held_bytes", BYTES, NOTHING,                                           \
      "Bytes that senders were allowed later than there was room for, because of a quota.")                  \
    X(REQUESTS_CUT, COUNTER, "ttf_requests_cut", PLAIN, NOTHING,                                             \
      "Visitors' requests that ended within their answer, by either side.")                                  \
    X(REQUEST_RETRIES, COUNTER, "ttf_request_retries", PLAIN, NOTHING,                                       \
      "Visitors' requests that were sent to a second agent, because the first was lost.")                    \
    X(REQUEST_DURATION, HISTOGRAM, "ttf_request_duration_seconds", SECONDS, NOTHING,                         \
      "From the first byte of a visitor's request to the last one of its answer; without WebSockets.")       \
    X(REQUEST_SERVICE, HISTOGRAM, "ttf_request_service_seconds", SECONDS, NOTHING,                           \
      "The service's part: from handing a request to an agent to the head of its answer.")                   \
    X(REQUEST_OWN, HISTOGRAM, "ttf_request_own_seconds", SECONDS, NOTHING,                                   \
      "Our own part: from the first byte to an agent, and from the answer's head to its first byte sent; "   \
      "waiting for an agent that has gone is in it.")                                                        \
    X(REQUEST_BYTES, COUNTER, "ttf_request_body_bytes", BYTES, NOTHING,                                      \
      "Bytes of visitors' bodies, and of what they send through WebSockets.")                                \
    X(RESPONSE_BYTES, COUNTER, "ttf_response_body_bytes", BYTES, NOTHING,                                    \
      "Bytes of answers' bodies that visitors' sockets took, and of what WebSockets bring them.")            \
    X(IN_FLIGHT, GAUGE, "ttf_requests_in_flight", PLAIN, NOTHING,                                            \
      "Exchanges under way, those for other gateways among them.")                                           \
    X(WEBSOCKETS, GAUGE, "ttf_websockets", PLAIN, NOTHING,                                                   \
      "Visitors' connections that have switched to another protocol.")                                       \
    X(STREAMS, GAUGE, "ttf_streams", PLAIN, NOTHING, "Open streams of links of protocol v2, peers' too.")    \
    X(AGENTS, GAUGE, "ttf_agents", PLAIN, PROTOCOL, "Agents that are connected here.")                       \
    X(AGENT_CONNECTS, COUNTER, "ttf_agent_connects", PLAIN, OUTCOME,                                         \
      "Agents that asked to be connected, by what they were told.")                                          \
    X(CONNECTIONS, GAUGE, "ttf_connections", PLAIN, PORT, "Connections of a port.")                          \
    X(CONNECTIONS_LIMIT, GAUGE, "ttf_connections_limit", PLAIN, PORT, "Connections that a port takes.")      \
    X(CONNECTIONS_REFUSED, COUNTER, "ttf_connections_refused", PLAIN, PORT,                                  \
      "Connections that a port had no room for, in all or of one address.")                                  \
    X(CONNECTIONS_EVICTED, COUNTER, "ttf_connections_evicted", PLAIN, PORT,                                  \
      "Connections that carried no request and were ended, because a port was full, for one that came.")     \
    X(TLS_HANDSHAKES, COUNTER, "ttf_tls_handshakes", PLAIN, RESULT,                                          \
      "Handshakes of TLS on ports of our own that have ended.")                                              \
    X(TLS_END, GAUGE, "ttf_tls_certificate_end_seconds", SECONDS, NOTHING,                                   \
      "When the first of our own certificates ends, in seconds since 1970; 0: there is none.")               \
    X(MEMORY, GAUGE, "ttf_memory_bytes", PLAIN, NOTHING, "Memory that the process holds, of its limit.")     \
    X(MEMORY_LIMIT, GAUGE, "ttf_memory_limit_bytes", PLAIN, NOTHING,                                         \
      "What it may hold: from four fifths of it on requests are refused.")                                   \
    X(PEERS, GAUGE, "ttf_peer_links", PLAIN, DIRECTION,                                                      \
      "Links with other gateways that are up: in, by which they ask, and out, by which they are asked.")     \
    X(PEER_REQUESTS, COUNTER, "ttf_peer_requests", PLAIN, STATUS,                                            \
      "Requests taken in by other gateways for agents that are here, by the class of the answer's status.")  \
    X(LINK_BUFFERED, GAUGE, "ttf_link_buffered_bytes", BYTES, NOTHING,                                       \
      "Bytes that links of protocol v2 hold: received and not passed on, or written and not sent.")          \
    X(LINK_WINDOWS, GAUGE, "ttf_link_window_bytes", BYTES, NOTHING,                                          \
      "Bytes by which windows of streams have grown beyond the first one.")                                  \
    X(LINK_BUDGET, GAUGE, "ttf_link_budget_bytes", BYTES, NOTHING, "What both may have together.")           \
    X(STORE_UP, GAUGE, "ttf_store_up", PLAIN, NOTHING,                                                       \
      "Whether the shared store can be reached: 1 or 0; 1 for a store in memory.")                           \
    X(STORE_CALLS, COUNTER, "ttf_store_calls", PLAIN, RESULT, "Calls to the shared store that have ended.")  \
    X(STORE_DURATION, HISTOGRAM, "ttf_store_call_duration_seconds", SECONDS, NOTHING,                        \
      "How long the shared store took to answer, waiting for a connection included.")                        \
    X(LOOP_LAG, HISTOGRAM, "ttf_loop_lag_seconds", SECONDS, NOTHING,                                         \
      "How late the loop came to a timer, looked at twice a second.")                                        \
    X(LOG_DROPPED, COUNTER, "ttf_log_lines_dropped", PLAIN, NOTHING,                                         \
      "Lines of the logs that nobody took in time, or that could not be written.")                           \
    X(PROCESS_CPU, COUNTER, "process_cpu_seconds", SECONDS, NOTHING, "CPU time of the process.")             \
    X(PROCESS_START, GAUGE, "process_start_time_seconds", SECONDS, NOTHING,                                  \
      "When the process began, in seconds since 1970.")                                                      \
    X(PROCESS_RESIDENT, GAUGE, "process_resident_memory_bytes", BYTES, NOTHING, "Resident memory.")          \
    X(PROCESS_VIRTUAL, GAUGE, "process_virtual_memory_bytes", BYTES, NOTHING, "Virtual memory.")             \
    X(PROCESS_FDS, GAUGE, "process_open_fds", PLAIN, NOTHING, "Open file descriptors.")                      \
    X(PROCESS_FDS_LIMIT, GAUGE, "process_max_fds", PLAIN, NOTHING, "File descriptors that there may be.")

/* The same of ttf, whose page also has those of METRIC_LIST that are of any process. */
#define METRIC_AGENT_LIST(X)                                                                                 \
    X(AGENT_TUNNELS, GAUGE, "ttf_agent_tunnels", PLAIN, NOTHING, "Tunnels of the process.")                  \
    X(AGENT_TUNNELS_UP, GAUGE, "ttf_agent_tunnels_up", PLAIN, NOTHING,                                       \
      "Of these: those that the gateway holds a link to.")                                                   \
    X(AGENT_REQUESTS, COUNTER, "ttf_agent_requests", PLAIN, STATUS,                                          \
      "Requests that came through tunnels and have ended, by the class of the status that the visitor got; " \
      "none: he left before.")                                                                               \
    X(AGENT_FAILURES, COUNTER, "ttf_agent_request_failures", PLAIN, NOTHING,                                 \
      "Of these: those whose answer is not the local service's, or not all of it.")                          \
    X(AGENT_DURATION, HISTOGRAM, "ttf_agent_request_duration_seconds", SECONDS, NOTHING,                     \
      "From handing a request to the local service to the end of its answer; without offers to switch to "   \
      "another protocol (WebSockets).")                                                                      \
    X(AGENT_REQUEST_BYTES, COUNTER, "ttf_agent_request_body_bytes", BYTES, NOTHING,                          \
      "Bytes of bodies that went to local services, and of what WebSockets bring them.")                     \
    X(AGENT_RESPONSE_BYTES, COUNTER, "ttf_agent_response_body_bytes", BYTES, NOTHING,                        \
      "Bytes of bodies that came from local services, and of what they send through WebSockets.")            \
    X(AGENT_IN_FLIGHT, GAUGE, "ttf_agent_requests_in_flight", PLAIN, NOTHING, "Requests under way.")         \
    X(AGENT_REPLAYS, COUNTER, "ttf_agent_replays", PLAIN, NOTHING,                                           \
      "Requests that the inspector sent again; they are in no other count.")                                 \
    X(AGENT_KEPT, GAUGE, "ttf_agent_inspector_bytes", BYTES, NOTHING, "Memory of what the inspector keeps.") \
    X(AGENT_KEPT_LIMIT, GAUGE, "ttf_agent_inspector_limit_bytes", BYTES, NOTHING, "What that may be.")

/* The first slot of each family; its series follow in the order of the label's values. */
enum metric {
#define X(id, kind, name, unit, label, help)                                                                 \
    METRIC_##id, METRIC_LAST_##id = METRIC_##id + METRIC_WIDTH_##kind * METRIC_LABEL_COUNT_##label - 1,
    METRIC_LIST(X) METRIC_AGENT_LIST(X)
#undef X
        METRIC_SLOTS
};

extern uint64_t metrics_slots[METRIC_SLOTS];

/* Of a counter or a gauge: `which` is the label's value. */
static inline void metrics_add(enum metric metric, size_t which, uint64_t count) {
    metrics_slots[metric + which] += count;
}
static inline void metrics_subtract(enum metric metric, size_t which, uint64_t count) {
    metrics_slots[metric + which] -= count;
}
static inline void metrics_set(enum metric metric, size_t which, uint64_t value) {
    metrics_slots[metric + which] = value;
}
/* Of a histogram without labels. */
void metrics_observe(enum metric metric, uint64_t us);

/* The monotonic clock. */
uint64_t metrics_now_us(void);
/* 100 to 599; anything else is none. */
enum metric_status metrics_status(int status);

#endif
