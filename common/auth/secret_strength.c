#include "auth/secret_strength.h"

#include <math.h>
#include <stdlib.h>

/* Bits that a secret must seem to hold: a short word said over and over has fewer, 32 random digits more. */
#define BITS_MIN 50.0

static char folded(char byte) {
    if (byte >= 'A' && byte <= 'Z') return (char)(byte | 0x20);
    return byte == '_' || byte == ' ' || byte == '.' ? '-' : byte;
}

static bool says_at(struct view secret, size_t at, struct view words) {
    for (size_t i = 0; i < words.len; i++)
        if (at + i >= secret.len || folded(secret.ptr[at + i]) != words.ptr[i]) return false;
    return true;
}

static bool says(struct view secret, const char *words) {
    for (size_t at = 0; at < secret.len; at++)
        if (says_at(secret, at, view_from_cstr(words))) return true;
    return false;
}

/* What stands in READMEs, samples and earlier versions. */
static bool is_published(struct view secret) {
    static const char *const words[] = {"default-secret",
                                        "change-in-production",
                                        "changeme",
                                        "change-me",
                                        "change-this",
                                        "replace-me",
                                        "replace-this",
                                        "your-secret",
                                        "your-256-bit",
                                        "your-super-secret",
                                        "your-jwt-secret",
                                        "super-secret",
                                        "supersecret",
                                        "secret-key-here",
                                        "insert-secret",
                                        "example-secret",
                                        "placeholder",
                                        "not-a-secret",
                                        "do-not-use-in-production"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (says(secret, words[i])) return true;
    return false;
}

/* The length of what is repeated: "abcabcab" has 3. */
static size_t period_of(struct view secret) {
    for (size_t period = 1; period < secret.len; period++) {
        size_t at = period;
        while (at < secret.len && secret.ptr[at] == secret.ptr[at - period]) at++;
        if (at == secret.len) return period;
    }
    return secret.len;
}

/* Characters that follow from the one before ("aaa", "1234", "zyx") say nothing; the others as much as their
 * frequencies do. */
static double bits_of(struct view secret) {
    size_t counts[256] = {0}, telling = 1;
    double entropy = 0;
    for (size_t i = 0; i < secret.len; i++) {
        counts[(unsigned char)secret.ptr[i]]++;
        if (i && abs((unsigned char)secret.ptr[i] - (unsigned char)secret.ptr[i - 1]) > 1) telling++;
    }
    for (size_t i = 0; i < 256; i++) {
        double share = (double)counts[i] / (double)secret.len;
        if (counts[i]) entropy -= share * log2(share);
    }
    return entropy * (double)telling;
}

const char *secret_weakness(struct view secret) {
    if (is_published(secret)) return "it is a published default: make one of your own";
    secret.len = period_of(secret);
    if (secret.len && bits_of(secret) < BITS_MIN) return "it is easily guessed: take 32 random bytes";
    return NULL;
}
