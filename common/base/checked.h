/* With AddressSanitizer, memory that is kept but belongs to nobody may not be touched. */
#ifndef BASE_CHECKED_H
#define BASE_CHECKED_H

#if defined(__SANITIZE_ADDRESS__)
#define IS_CHECKED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define IS_CHECKED 1
#endif
#endif
#ifdef IS_CHECKED
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(bytes, len) ((void)0)
#define ASAN_UNPOISON_MEMORY_REGION(bytes, len) ((void)0)
#endif

#endif
