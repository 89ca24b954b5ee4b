/* A visitor's connection after `101 Switching Protocols`: bytes both ways, untouched, until one side closes.
 */
#ifndef GATEWAY_VISIT_UPGRADE_H
#define GATEWAY_VISIT_UPGRADE_H

#include "visit.h"

/* The 101, with what MHD and the visitor need to go on; from the access handler. NULL without memory. */
struct MHD_Response *visit_upgrade_response(struct visit *visit);
/* State changed: credit to read, bytes to write, or the end. */
void visit_upgrade_changed(struct visit *visit);
/* Lets go of the socket (MHD closes it). */
void visit_upgrade_stop(struct visit *visit);

#endif
