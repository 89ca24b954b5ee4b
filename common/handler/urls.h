/* The URLs that people see. They come from the settings, never from a Host header. */
#ifndef HANDLER_URLS_H
#define HANDLER_URLS_H

#include "base/buf.h"
#include "handler/core.h"

/* "http://<id>.localhost:8080": the public URL with the tunnel as a label in front of the domain. */
bool urls_subdomain(struct buf *out, const struct core_settings *settings, struct view tunnel_id);
/* "http://localhost:8080/<id>"; what path the public URL has comes in front of it */
bool urls_path(struct buf *out, const struct core_settings *settings, struct view tunnel_id);

/* "" or ":8443", of the public URL. Borrowed from the settings. */
struct view urls_port(const struct core_settings *settings);
/* "" or "/dev": the path that all of path mode's URLs begin with, before "/<id>"; whoever is in front of us
 * has taken it off. Borrowed from the settings. */
struct view urls_base(const struct core_settings *settings);

#endif
