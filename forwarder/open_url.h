/* Shows a URL in the user's browser (xdg-open). */
#ifndef FORWARDER_OPEN_URL_H
#define FORWARDER_OPEN_URL_H

#include "net/loop.h"

/* No shell is asked, and nothing but http:// and https:// is opened. NULL, or why it cannot be. */
const char *open_url(struct loop *loop, const char *url);

#endif
