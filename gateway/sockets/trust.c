/* See trust.h. */
#include "sockets/trust.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/regular_file.h"
#include "sockets/asn1_time.h"

#define FILE_BYTES_MAX ((size_t)8 * 1024 * 1024) /* some 200 000 certificates that were revoked */
#define AUTHORITIES_MAX 256
#define LIST_OF "the list of"

struct trust {
    STACK_OF(X509) * authorities;
    STACK_OF(X509_CRL) * lists; /* NULL: revocation is not looked at */
    X509_STORE *store;
    int64_t end_s;
};

/* Where what is wrong is said. */
struct reading {
    const char *flag, *path;
    int64_t now_s;
    char *why;
};

static bool complain(const struct reading *reading, const char *what) {
    snprintf(reading->why, TRUST_WHY_MAX, "%s \"%.150s\": %.300s", reading->flag, reading->path, what);
    ERR_clear_error();
    return false;
}

/* `before` and `behind` stand around the authority's name. */
static bool complain_of(const struct reading *reading, const char *before, const X509_NAME *name,
                        const char *behind) {
    char text[120], line[300];
    X509_NAME_oneline(name, text, sizeof(text));
    snprintf(line, sizeof(line), "%s \"%s\"%s", before, text, behind);
    return complain(reading, line);
}

/* ---- files ---- */

/* False, having complained. */
static bool read_file(const struct reading *reading, struct buf *bytes) {
    FILE *file = regular_file_open(reading->path);
    if (!file) return complain(reading, file_problem(errno));
    char *room = buf_reserve(bytes, FILE_BYTES_MAX);
    size_t len = room ? fread(room, 1, FILE_BYTES_MAX, file) : 0;
    bool is_whole = room && !ferror(file) && len < FILE_BYTES_MAX;
    fclose(file);
    buf_commit(bytes, len);
    return is_whole || complain(reading, room ? "it is too large, or cannot be read" : "out of memory");
}

/* What ended the reading is more than the end of what there is. */
static bool is_broken_off(void) {
    unsigned long error = ERR_peek_last_error();
    return error && ERR_GET_REASON(error) != PEM_R_NO_START_LINE;
}

static bool take_authorities(const struct reading *reading, BIO *bio, struct trust *trust) {
    X509 *next;
    while (sk_X509_num(trust->authorities) < AUTHORITIES_MAX &&
           (next = PEM_read_bio_X509_AUX(bio, NULL, NULL, NULL)))
        if (sk_X509_push(trust->authorities, next) == 0) X509_free(next);
    return (sk_X509_num(trust->authorities) > 0 && !is_broken_off()) ||
           complain(reading, "it holds no certificates of authorities (PEM), or not only whole ones");
}

static bool take_lists(const struct reading *reading, BIO *bio, struct trust *trust) {
    X509_CRL *next;
    while (sk_X509_CRL_num(trust->lists) < AUTHORITIES_MAX &&
           (next = PEM_read_bio_X509_CRL(bio, NULL, NULL, NULL)))
        if (sk_X509_CRL_push(trust->lists, next) == 0) X509_CRL_free(next);
    return (sk_X509_CRL_num(trust->lists) > 0 && !is_broken_off()) ||
           complain(reading,
                    "it holds no lists of revoked certificates (PEM, \"BEGIN X509 CRL\"), or not only "
                    "whole ones");
}

typedef bool take_fn(const struct reading *reading, BIO *bio, struct trust *trust);

static bool take_file(const struct reading *reading, take_fn *take, struct trust *trust) {
    struct buf bytes;
    buf_init(&bytes, FILE_BYTES_MAX);
    ERR_clear_error();
    bool ok = read_file(reading, &bytes);
    BIO *bio = ok && bytes.len ? BIO_new_mem_buf(bytes.ptr, (int)bytes.len) : NULL;
    if (ok) ok = bio ? take(reading, bio, trust) : complain(reading, "it is empty");
    BIO_free(bio);
    buf_done(&bytes);
    ERR_clear_error();
    return ok;
}

/* ---- lists ---- */

static bool check_dates(const struct reading *reading, const X509_CRL *list, struct trust *trust) {
    const X509_NAME *of = X509_CRL_get_issuer(list);
    const ASN1_TIME *next = X509_CRL_get0_nextUpdate(list);
    int64_t begin_s, end_s = INT64_MAX;
    if (!asn1_time_seconds(X509_CRL_get0_lastUpdate(list), &begin_s) ||
        (next && !asn1_time_seconds(next, &end_s)))
        return complain_of(reading, LIST_OF, of, " has dates that cannot be read");
    if (begin_s > reading->now_s)
        return complain_of(reading, LIST_OF, of, " is not valid yet: is this machine's clock right?");
    if (end_s <= reading->now_s)
        return complain_of(reading, LIST_OF, of, " is not valid any more: fetch the newest one");
    if (next && (!trust->end_s || end_s < trust->end_s)) trust->end_s = end_s;
    return true;
}

/* What OpenSSL would stumble over at each handshake. */
static bool check_extensions(const struct reading *reading, const X509_CRL *list) {
    const X509_NAME *of = X509_CRL_get_issuer(list);
    if (X509_CRL_get_ext_by_NID(list, NID_delta_crl, -1) >= 0)
        return complain_of(reading, LIST_OF, of, " is a delta: name the full one");
    for (int i = 0; i < X509_CRL_get_ext_count(list); i++) {
        X509_EXTENSION *extension = X509_CRL_get_ext(list, i);
        int kind = OBJ_obj2nid(X509_EXTENSION_get_object(extension));
        if (X509_EXTENSION_get_critical(extension) && kind != NID_issuing_distribution_point)
            return complain_of(reading, LIST_OF, of, " says something of itself that is not understood");
    }
    return true;
}

/* Authorities may have the same name, and another key. */
static bool is_signed_by(X509_CRL *list, const X509 *authority) {
    EVP_PKEY *key = X509_get0_pubkey(authority);
    return X509_NAME_cmp(X509_CRL_get_issuer(list), X509_get_subject_name(authority)) == 0 && key &&
           X509_CRL_verify(list, key) == 1;
}

static bool check_signer(const struct reading *reading, X509_CRL *list, const struct trust *trust) {
    for (int i = 0; i < sk_X509_num(trust->authorities); i++)
        if (is_signed_by(list, sk_X509_value(trust->authorities, i))) return true;
    return complain_of(reading, LIST_OF, X509_CRL_get_issuer(list),
                       " is signed by none of the authorities in --agent-client-ca");
}

static bool has_list(const struct reading *reading, const X509 *authority, const struct trust *trust) {
    for (int i = 0; i < sk_X509_CRL_num(trust->lists); i++)
        if (is_signed_by(sk_X509_CRL_value(trust->lists, i), authority)) return true;
    return complain_of(reading, "there is no list of", X509_get_subject_name(authority),
                       ", so that none of its certificates could be taken: add it");
}

static bool check_lists(const struct reading *reading, struct trust *trust) {
    for (int i = 0; i < sk_X509_CRL_num(trust->lists); i++) {
        X509_CRL *list = sk_X509_CRL_value(trust->lists, i);
        if (!check_signer(reading, list, trust) || !check_dates(reading, list, trust) ||
            !check_extensions(reading, list))
            return false;
    }
    for (int i = 0; i < sk_X509_num(trust->authorities); i++)
        if (!has_list(reading, sk_X509_value(trust->authorities, i), trust)) return false;
    return true;
}

/* ---- the set ---- */

static bool fill_store(struct trust *trust) {
    bool ok = trust->store;
    for (int i = 0; ok && i < sk_X509_num(trust->authorities); i++)
        ok = X509_STORE_add_cert(trust->store, sk_X509_value(trust->authorities, i)) == 1;
    for (int i = 0; ok && i < sk_X509_CRL_num(trust->lists); i++)
        ok = X509_STORE_add_crl(trust->store, sk_X509_CRL_value(trust->lists, i)) == 1;
    if (ok && trust->lists)
        ok = X509_STORE_set_flags(trust->store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL) == 1;
    return ok;
}

static bool load(struct trust *trust, const char *ca_path, const char *crl_path, int64_t now_s, char *why) {
    const struct reading authorities = {
        .flag = "--agent-client-ca", .path = ca_path, .now_s = now_s, .why = why};
    const struct reading lists = {.flag = "--agent-client-crl", .path = crl_path, .now_s = now_s, .why = why};
    trust->authorities = sk_X509_new_null();
    trust->store = X509_STORE_new();
    if (crl_path) trust->lists = sk_X509_CRL_new_null();
    if (!trust->authorities || (crl_path && !trust->lists)) return complain(&authorities, "out of memory");
    if (!take_file(&authorities, take_authorities, trust)) return false;
    if (crl_path && (!take_file(&lists, take_lists, trust) || !check_lists(&lists, trust))) return false;
    return fill_store(trust) || complain(&authorities, "it cannot be used");
}

struct trust *trust_load(const char *ca_path, const char *crl_path, int64_t now_s,
                         char ret_why[TRUST_WHY_MAX]) {
    struct trust *trust = calloc(1, sizeof(*trust));
    snprintf(ret_why, TRUST_WHY_MAX, "out of memory");
    if (trust && load(trust, ca_path, crl_path, now_s, ret_why)) return trust;
    trust_free(trust);
    return NULL;
}

void trust_free(struct trust *trust) {
    if (!trust) return;
    sk_X509_pop_free(trust->authorities, X509_free);
    sk_X509_CRL_pop_free(trust->lists, X509_CRL_free);
    X509_STORE_free(trust->store);
    free(trust);
}

static STACK_OF(X509_NAME) * names_of(const struct trust *trust) {
    STACK_OF(X509_NAME) *names = sk_X509_NAME_new_null();
    for (int i = 0; names && i < sk_X509_num(trust->authorities); i++) {
        X509_NAME *name = X509_NAME_dup(X509_get_subject_name(sk_X509_value(trust->authorities, i)));
        if (!name || sk_X509_NAME_push(names, name) == 0) X509_NAME_free(name);
    }
    return names;
}

bool trust_use(const struct trust *trust, SSL_CTX *context) {
    STACK_OF(X509_NAME) *names = names_of(trust);
    if (!names || X509_STORE_up_ref(trust->store) != 1) {
        sk_X509_NAME_pop_free(names, X509_NAME_free);
        return false;
    }
    SSL_CTX_set_client_CA_list(context, names);
    SSL_CTX_set_cert_store(context, trust->store);
    return true;
}

/* ---- judging again ---- */

static int verify(X509_STORE_CTX *judge, const struct trust *trust, const SSL *tls) {
    if (!judge || X509_STORE_CTX_init(judge, trust->store, SSL_get0_peer_certificate(tls),
                                      SSL_get_peer_cert_chain(tls)) != 1)
        return X509_V_ERR_OUT_OF_MEM;
    X509_STORE_CTX_set_default(judge, "ssl_client");
    X509_STORE_CTX_set_flags(judge, X509_V_FLAG_NO_CHECK_TIME);
    return X509_verify_cert(judge) == 1 ? X509_V_OK : X509_STORE_CTX_get_error(judge);
}

const char *trust_fault(const struct trust *trust, const SSL *tls) {
    X509_STORE_CTX *judge = X509_STORE_CTX_new();
    int fault = verify(judge, trust, tls);
    X509_STORE_CTX_free(judge);
    ERR_clear_error();
    return fault == X509_V_OK ? NULL : X509_verify_cert_error_string(fault);
}

size_t trust_revoked(const struct trust *trust) {
    size_t count = 0;
    for (int i = 0; i < sk_X509_CRL_num(trust->lists); i++) {
        int named = sk_X509_REVOKED_num(X509_CRL_get_REVOKED(sk_X509_CRL_value(trust->lists, i)));
        if (named > 0) count += (size_t)named;
    }
    return count;
}

int64_t trust_end_s(const struct trust *trust) {
    return trust->end_s;
}
