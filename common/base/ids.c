/* Identifiers from getentropy(), which Linux, macOS and the BSDs all have; it gives at most 256 bytes a call.
 */
#include "base/ids.h"

#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/hex.h"
#if __has_include(<sys/random.h>)
#include <sys/random.h>
#endif

#define ENTROPY_MAX 256

void ids_random(void *out, size_t len) {
    unsigned char *at = out;
    while (len > 0) {
        size_t part = len < ENTROPY_MAX ? len : ENTROPY_MAX;
        if (getentropy(at, part) != 0) abort();
        at += part;
        len -= part;
    }
}

void ids_tunnel(char out[TUNNEL_ID_LEN + 1]) {
    static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz0123456789";
    enum { LETTERS = sizeof(alphabet) - 1, FAIR_BELOW = 256 / LETTERS * LETTERS };
    uint8_t bytes[TUNNEL_ID_LEN + 4];
    size_t have = 0;
    while (have < TUNNEL_ID_LEN) {
        ids_random(bytes, sizeof(bytes));
        for (size_t i = 0; i < sizeof(bytes) && have < TUNNEL_ID_LEN; i++)
            if (bytes[i] < FAIR_BELOW) out[have++] = alphabet[bytes[i] % LETTERS];
    }
    out[TUNNEL_ID_LEN] = '\0';
}

void ids_uuid4(char out[UUID_LEN + 1]) {
    uint8_t bytes[16];
    ids_random(bytes, sizeof(bytes));
    bytes[6] = (uint8_t)((bytes[6] & 0x0f) | 0x40);
    bytes[8] = (uint8_t)((bytes[8] & 0x3f) | 0x80);
    char *at = hex_print(out, bytes, 4);
    for (size_t i = 4; i <= 10; i += 2) {
        *at++ = '-';
        at = hex_print(at, bytes + i, 2);
    }
    *hex_print(at, bytes + 12, 4) = '\0';
}
