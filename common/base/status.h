/* What a call of ours came to. Codes of libraries, stores and services are translated to these at the
 * adapter's edge. */
#ifndef BASE_STATUS_H
#define BASE_STATUS_H

#define STATUS_LIST(X)                                                                                       \
    X(OK, "ok")                                                                                              \
    X(NOT_FOUND, "not found")                                                                                \
    X(CONFLICT, "changed by somebody else meanwhile")                                                        \
    X(GONE, "the other side is gone")                                                                        \
    X(UNHEARD, "the other side does not listen yet")                                                         \
    X(TOO_LARGE, "over a limit")                                                                             \
    X(OVERLOADED, "too much at once")                                                                        \
    X(UNAVAILABLE, "cannot be reached")                                                                      \
    X(TIMEOUT, "took too long")                                                                              \
    X(INVALID, "malformed")                                                                                  \
    X(DENIED, "not allowed")                                                                                 \
    X(NO_MEMORY, "out of memory")

enum status {
#define X(name, text) STATUS_##name,
    STATUS_LIST(X)
#undef X
};

/* A short English text; never NULL. */
const char *status_text(enum status status);

#endif
