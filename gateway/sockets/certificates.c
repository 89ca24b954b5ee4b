/* See certificates.h. */
#include "sockets/certificates.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/buf.h"
#include "base/regular_file.h"
#include "sockets/asn1_time.h"

#define FILE_BYTES_MAX ((size_t)1024 * 1024)
#define CHAIN_MAX 16
#define NAME_FLAGS (X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT)

struct certificate {
    X509 *leaf;
    STACK_OF(X509) * chain;
    EVP_PKEY *key;
    int64_t end_s;
};

struct certificates {
    size_t count;
    struct certificate items[CERTIFICATES_MAX];
};

/* The two files that are being read, and where what is wrong is said. */
struct pair {
    const char *path, *key_path;
    char *why;
};

static bool complain(const struct pair *pair, const char *path, const char *what) {
    snprintf(pair->why, CERTIFICATES_WHY_MAX, "\"%.200s\": %s", path, what);
    ERR_clear_error();
    return false;
}

/* ---- files ---- */

/* To be given to BIO_free(), after which `bytes` may go. NULL, having complained. */
static BIO *open_file(const struct pair *pair, const char *path, bool is_key, struct buf *bytes) {
    FILE *file = regular_file_open(path);
    if (!file) {
        complain(pair, path, file_problem(errno));
        return NULL;
    }
    size_t len = 0;
    char *room = buf_reserve(bytes, FILE_BYTES_MAX);
    bool is_others = is_key && file_others_can_write(fileno(file));
    if (room) len = fread(room, 1, FILE_BYTES_MAX, file);
    bool is_whole = room && !ferror(file) && len < FILE_BYTES_MAX;
    fclose(file);
    if (is_others)
        complain(pair, path, file_problem(EPERM));
    else if (!is_whole)
        complain(pair, path, room ? "it is too large, or cannot be read" : "out of memory");
    else if (len == 0)
        complain(pair, path, "it is empty");
    else
        return BIO_new_mem_buf(room, (int)len);
    return NULL;
}

/* Instead of asking on the terminal. */
static int no_password(char *to, int size, int writes, void *ctx) {
    (void)to, (void)size, (void)writes;
    *(bool *)ctx = true;
    return -1;
}

/* What ended the reading is more than the end of what there is. */
static bool is_broken_off(void) {
    unsigned long error = ERR_peek_last_error();
    return error && ERR_GET_REASON(error) != PEM_R_NO_START_LINE;
}

static bool read_chain(const struct pair *pair, BIO *bio, struct certificate *out) {
    bool asked = false;
    out->leaf = PEM_read_bio_X509_AUX(bio, NULL, no_password, &asked);
    out->chain = sk_X509_new_null();
    if (!out->leaf) return complain(pair, pair->path, "there is no certificate in it (PEM)");
    ERR_clear_error();
    X509 *next;
    while (out->chain && sk_X509_num(out->chain) < CHAIN_MAX &&
           (next = PEM_read_bio_X509(bio, NULL, no_password, &asked)))
        if (sk_X509_push(out->chain, next) == 0) X509_free(next);
    if (is_broken_off())
        return complain(pair, pair->path, "its chain is broken behind the first certificate");
    ERR_clear_error();
    return out->chain || complain(pair, pair->path, "out of memory");
}

static bool read_key(const struct pair *pair, BIO *bio, struct certificate *out) {
    bool asked = false;
    out->key = PEM_read_bio_PrivateKey(bio, NULL, no_password, &asked);
    if (out->key) return true;
    return complain(pair, pair->key_path,
                    asked
                        ? "the key is encrypted, and there is nobody to ask: decrypt it (openssl pkey -in … "
                          "-out …)"
                        : "there is no private key in it (PEM)");
}

static bool read_file(const struct pair *pair, const char *path, bool is_key, struct certificate *out) {
    struct buf bytes;
    buf_init(&bytes, FILE_BYTES_MAX);
    BIO *bio = open_file(pair, path, is_key, &bytes);
    bool read = bio && (is_key ? read_key(pair, bio, out) : read_chain(pair, bio, out));
    BIO_free(bio);
    if (is_key && bytes.ptr) OPENSSL_cleanse(bytes.ptr, bytes.cap);
    buf_done(&bytes);
    return read;
}

/* ---- what is wrong ---- */

static void date_text(int64_t at_s, char out[24]) {
    time_t at = (time_t)at_s;
    struct tm fields;
    gmtime_r(&at, &fields);
    strftime(out, 24, "%Y-%m-%d %H:%M UTC", &fields);
}

static bool check_dates(const struct pair *pair, struct certificate *certificate, int64_t now_s) {
    int64_t begin_s;
    char what[160], date[24];
    if (!asn1_time_seconds(X509_get0_notBefore(certificate->leaf), &begin_s) ||
        !asn1_time_seconds(X509_get0_notAfter(certificate->leaf), &certificate->end_s))
        return complain(pair, pair->path, "its dates cannot be read");
    if (certificate->end_s <= now_s) {
        date_text(certificate->end_s, date);
        snprintf(what, sizeof(what), "the certificate expired at %s: renew it", date);
        return complain(pair, pair->path, what);
    }
    if (begin_s <= now_s) return true;
    date_text(begin_s, date);
    snprintf(what, sizeof(what), "the certificate is not valid before %s: is this machine's clock right?",
             date);
    return complain(pair, pair->path, what);
}

/* What browsers look at is subjectAltName alone (RFC 6125 6.4.4). */
static bool names_host(X509 *leaf) {
    GENERAL_NAMES *names = X509_get_ext_d2i(leaf, NID_subject_alt_name, NULL, NULL);
    bool found = false;
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        int type = sk_GENERAL_NAME_value(names, i)->type;
        if (type == GEN_DNS || type == GEN_IPADD) found = true;
    }
    GENERAL_NAMES_free(names);
    return found;
}

/* Would OpenSSL take it? Keys that are too short it does not. */
static bool check_use(const struct pair *pair, const struct certificate *certificate) {
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    char what[160];
    ERR_clear_error();
    bool taken = context && SSL_CTX_use_cert_and_key(context, certificate->leaf, certificate->key,
                                                     certificate->chain, 1) == 1;
    const char *why = ERR_reason_error_string(ERR_peek_last_error());
    SSL_CTX_free(context);
    if (taken) return true;
    snprintf(what, sizeof(what), "it cannot be used: %.100s", why ? why : "out of memory");
    return complain(pair, pair->path, what);
}

static bool check(const struct pair *pair, struct certificate *certificate, int64_t now_s) {
    char what[300];
    if (!check_dates(pair, certificate, now_s)) return false;
    if (!names_host(certificate->leaf))
        return complain(
            pair, pair->path,
            "the certificate names no host (subjectAltName), so no browser takes it: have it made "
            "for the gateway's domain");
    if (X509_check_private_key(certificate->leaf, certificate->key) == 1) return check_use(pair, certificate);
    snprintf(what, sizeof(what),
             "the certificate does not belong to the key in \"%.150s\": name the two that "
             "were made together, in the same order",
             pair->key_path);
    return complain(pair, pair->path, what);
}

/* ---- the set ---- */

static bool load(const struct pair *pair, int64_t now_s, struct certificate *out) {
    return read_file(pair, pair->path, false, out) && read_file(pair, pair->key_path, true, out) &&
           check(pair, out, now_s);
}

static bool load_pair(struct view path, struct view key_path, int64_t now_s, struct certificate *out,
                      char *why) {
    char *texts[2] = {view_to_cstr(path), view_to_cstr(key_path)};
    struct pair pair = {.path = texts[0], .key_path = texts[1], .why = why};
    snprintf(why, CERTIFICATES_WHY_MAX, "out of memory");
    bool loaded = texts[0] && texts[1] && load(&pair, now_s, out);
    free(texts[0]);
    free(texts[1]);
    return loaded;
}

static void certificate_done(struct certificate *item) {
    X509_free(item->leaf);
    sk_X509_pop_free(item->chain, X509_free);
    EVP_PKEY_free(item->key);
    *item = (struct certificate){0};
}

struct certificates *certificates_load(const struct view *certificate_paths, const struct view *key_paths,
                                       size_t count, int64_t now_s, char ret_why[CERTIFICATES_WHY_MAX]) {
    struct certificates *set = calloc(1, sizeof(*set));
    snprintf(ret_why, CERTIFICATES_WHY_MAX, "out of memory");
    for (size_t i = 0; set && i < count; i++) {
        if (certificates_add(set, certificate_paths[i], key_paths[i], now_s, ret_why)) continue;
        certificates_free(set);
        return NULL;
    }
    return set;
}

bool certificates_add(struct certificates *set, struct view certificate_path, struct view key_path,
                      int64_t now_s, char ret_why[CERTIFICATES_WHY_MAX]) {
    struct certificate *item = &set->items[set->count];
    snprintf(ret_why, CERTIFICATES_WHY_MAX, "there are %d already", CERTIFICATES_MAX);
    if (set->count == CERTIFICATES_MAX) return false;
    set->count++;
    if (load_pair(certificate_path, key_path, now_s, item, ret_why)) return true;
    certificate_done(item);
    set->count--;
    return false;
}

void certificates_free(struct certificates *set) {
    if (!set) return;
    for (size_t i = 0; i < set->count; i++) certificate_done(&set->items[i]);
    free(set);
}

static const struct certificate *find(const struct certificates *set, const char *name) {
    for (size_t i = 0; name && i < set->count; i++)
        if (X509_check_host(set->items[i].leaf, name, 0, NAME_FLAGS, NULL) == 1) return &set->items[i];
    ERR_clear_error();
    return NULL;
}

int certificates_use(const struct certificates *set, const char *name, SSL *tls) {
    const struct certificate *chosen = find(set, name);
    if (!chosen && set->count == 0) return 0;
    if (!chosen) chosen = &set->items[0];
    return SSL_use_cert_and_key(tls, chosen->leaf, chosen->key, chosen->chain, 1);
}

bool certificates_name(const struct certificates *set, const char *name) {
    return find(set, name);
}

size_t certificates_count(const struct certificates *set) {
    return set->count;
}

int64_t certificates_end_s(const struct certificates *set) {
    int64_t end_s = set->items[0].end_s;
    for (size_t i = 1; i < set->count; i++)
        if (set->items[i].end_s < end_s) end_s = set->items[i].end_s;
    return end_s;
}
