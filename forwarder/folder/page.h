/* Pages of our own: why there is no file, and what is in a folder. */
#ifndef FORWARDER_FOLDER_PAGE_H
#define FORWARDER_FOLDER_PAGE_H

#include "base/buf.h"

#define PAGE_LISTED_MAX 10000u /* entries; what is more is only mentioned */
#define PAGE_BYTES_MAX ((size_t)16 * 1024 * 1024)

/* A name as it stands in a URL: what is not plain is percent-encoded. */
void page_append_encoded(struct buf *out, struct view name);
/* Text as it stands in HTML; what is no UTF-8, or a control byte, is shown as U+FFFD. */
void page_append_escaped(struct buf *out, struct view text);

/* `text` is ours. */
void page_of_refusal(struct buf *out, unsigned status, const char *text);
/* Of the folder at `path` (beneath_open()), which `folder` is open at: folders first, by name, with size and
 * date; only what would be served. False, and errno: it cannot be read, or there is no memory. */
bool page_of_listing(struct buf *out, int root, int folder, const char *path);

#endif
