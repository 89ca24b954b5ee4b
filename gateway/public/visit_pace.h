/* How fast a visitor gives what he owes: the body of his request, or reading (visit_pace.c). */
#ifndef GATEWAY_VISIT_PACE_H
#define GATEWAY_VISIT_PACE_H

#include "public/visitor.h"

/* As of the last look. */
struct visit_pace {
    bool is_owed, is_blocked;
    uint64_t looked_ms, bytes, patience_ms;
    uint64_t stalled_ms; /* since when nothing has come; 0: something has */
};

/* What there is to see. */
struct pace_owed {
    bool is_owed;
    bool is_blocked; /* reading is owed, rather than a body */
    uint64_t bytes;  /* given so far, of whichever it is */
};

/* False: he has given too little for too long. Sets pace->stalled_ms. */
bool pace_look(struct visit_pace *pace, const struct visitor_settings *settings, const struct pace_owed *owed,
               uint64_t now_ms);

#endif
