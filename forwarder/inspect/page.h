/* The page's three files, made arrays by CMakeLists.txt. */
#ifndef FORWARDER_INSPECT_PAGE_H
#define FORWARDER_INSPECT_PAGE_H

#include <stddef.h>

struct page_file {
    const char *path, *type;
    const unsigned char *bytes;
    size_t len;
};

extern const struct page_file page_files[];
extern const size_t page_files_count;

#endif
