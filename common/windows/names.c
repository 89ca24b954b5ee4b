/* See windows.h. */
#include <bcrypt.h>
#include <errno.h>
#include <windows.h>

void *memmem(const void *bytes, size_t len, const void *part, size_t part_len) {
    const char *at = bytes, *end = at + len;
    if (!part_len) return (void *)(uintptr_t)at;
    while ((size_t)(end - at) >= part_len &&
           (at = memchr(at, *(const char *)part, (size_t)(end - at) - part_len + 1))) {
        if (memcmp(at, part, part_len) == 0) return (void *)(uintptr_t)at;
        at++;
    }
    return NULL;
}

void explicit_bzero(void *bytes, size_t len) {
    SecureZeroMemory(bytes, len);
}

int getentropy(void *out, size_t len) {
    if (BCryptGenRandom(NULL, out, (ULONG)len, BCRYPT_USE_SYSTEM_PREFERRED_RNG) == 0) return 0;
    errno = EIO;
    return -1;
}
