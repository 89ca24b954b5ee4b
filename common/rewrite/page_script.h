/* The script that stands first in every page (page_script.js, embedded when we are built), and what a Content
 * Security Policy calls it. It is the same in every page; what it must know of the tunnel stands in
 * attributes of its element, so one hash allows it everywhere. */
#ifndef REWRITE_PAGE_SCRIPT_H
#define REWRITE_PAGE_SCRIPT_H

#include "rewrite/url.h"

/* 'sha256-<44 characters>', with the quotes and a NUL. */
#define PAGE_SCRIPT_SOURCE_SIZE 54

#define PAGE_SCRIPT_SHA256_LEN 32

/* Made of page_script.js (page_script_text.c.in). */
extern const unsigned char page_script_text[];
extern const size_t page_script_text_len;
extern const unsigned char page_script_sha256[PAGE_SCRIPT_SHA256_LEN];

/* Puts the element. */
void page_script_put(const struct rewrite_site *site, const struct edit_sink *sink);

/* The CSP source that allows the script, in `out`. */
struct view page_script_source(char out[PAGE_SCRIPT_SOURCE_SIZE]);

#endif
