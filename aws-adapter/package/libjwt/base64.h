/* The two functions of libjwt that Debian's tarball leaves out, by OpenSSL. */
#ifndef PACKAGE_LIBJWT_BASE64_H
#define PACKAGE_LIBJWT_BASE64_H

#include <openssl/evp.h>
#include <string.h>

/* How many bytes `coded` holds, which are written to `plain` (at least strlen(coded) bytes). 0: it is no
 * base64, or empty. */
static inline int jwt_Base64decode(char *plain, const char *coded) {
    size_t size = strlen(coded), padding = 0;
    int count = EVP_DecodeBlock((unsigned char *)plain, (const unsigned char *)coded, (int)size);
    while (padding < size && padding < 2 && coded[size - 1 - padding] == '=') padding++;
    return count > (int)padding ? count - (int)padding : 0;
}

/* Writes text with its end. */
static inline int jwt_Base64encode(char *coded, const char *plain, int len) {
    return EVP_EncodeBlock((unsigned char *)coded, (const unsigned char *)plain, len) + 1;
}

#endif
