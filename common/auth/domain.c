#include "auth/domain.h"

#include <openssl/evp.h>

#define PREFIX VIEW("domain-")
#define HASH_BITS 130

static bool is_letter(char c) {
    return c >= 'a' && c <= 'z';
}

static bool is_label(struct view label) {
    for (size_t i = 0; i < label.len; i++)
        if (!is_letter(label.ptr[i]) && !(label.ptr[i] >= '0' && label.ptr[i] <= '9') && label.ptr[i] != '-')
            return false;
    return label.len > 0 && label.len <= 63 && label.ptr[0] != '-' && label.ptr[label.len - 1] != '-';
}

static bool has_letter(struct view label) {
    for (size_t i = 0; i < label.len; i++)
        if (is_letter(label.ptr[i])) return true;
    return false;
}

bool domain_is_sane(struct view domain) {
    struct view rest = domain, label = {0};
    size_t labels = 0;
    for (; view_split(&rest, '.', &label); labels++)
        if (!is_label(label)) return false;
    return domain.len <= DOMAIN_MAX && labels >= 2 && has_letter(label);
}

bool domain_name(struct view domain, char out[DOMAIN_NAME_LEN + 1]) {
    static const char digits[] = "abcdefghijklmnopqrstuvwxyz234567";
    unsigned char hash[32];
    if (EVP_Digest(domain.ptr, domain.len, hash, NULL, EVP_sha256(), NULL) != 1) return false;
    memcpy(out, PREFIX.ptr, PREFIX.len);
    char *end = out + PREFIX.len;
    for (size_t bit = 0; bit < HASH_BITS; bit += 5) {
        unsigned two = (unsigned)hash[bit / 8] << 8 | hash[bit / 8 + 1];
        *end++ = digits[two >> (11 - bit % 8) & 31];
    }
    *end = '\0';
    return true;
}

bool domain_is_name(struct view name) {
    if (name.len != DOMAIN_NAME_LEN || !view_starts_with(name, PREFIX)) return false;
    for (size_t i = PREFIX.len; i < name.len; i++)
        if (!is_letter(name.ptr[i]) && !(name.ptr[i] >= '2' && name.ptr[i] <= '7')) return false;
    return true;
}
