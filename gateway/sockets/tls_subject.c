/* See tls_subject.h. A handshake does not fail for a certificate: over HTTP one can say why. What was wrong
 * with it is kept with the connection, for OpenSSL's own result may be of a later step. */
#include "sockets/tls_subject.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdint.h>

#include "base/utf8.h"
#include "base/view.h"
#include "sockets/asn1_time.h"

#define DEPTH_MAX 8

static int fault_index(void) {
    static int index = -1;
    if (index < 0) index = SSL_get_ex_new_index(0, NULL, NULL, NULL, NULL);
    return index;
}

static int on_verified(int is_good, X509_STORE_CTX *ctx) {
    SSL *tls = X509_STORE_CTX_get_ex_data(ctx, SSL_get_ex_data_X509_STORE_CTX_idx());
    intptr_t fault = X509_STORE_CTX_get_error(ctx);
    if (is_good) return 1;
    if (fault == X509_V_OK) fault = X509_V_ERR_UNSPECIFIED;
    return SSL_set_ex_data(tls, fault_index(), (void *)fault);
}

bool tls_ask_subject(SSL_CTX *context) {
    if (fault_index() < 0) return false;
    SSL_CTX_set_verify_depth(context, DEPTH_MAX);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, on_verified);
    return true;
}

/* ---- names ---- */

static bool take(struct view name, char subject[TLS_SUBJECT_MAX + 1]) {
    struct utf8_check check = {0};
    for (size_t i = 0; i < name.len; i++)
        if ((unsigned char)name.ptr[i] < 0x20 || name.ptr[i] == 0x7f) return false;
    return name.len > 0 && utf8_check(&check, name.ptr, name.len) && utf8_is_whole(&check) &&
           view_copy_to(name, subject, TLS_SUBJECT_MAX + 1);
}

static struct view text_of(const ASN1_STRING *text) {
    return view_of(ASN1_STRING_get0_data(text), (size_t)ASN1_STRING_length(text));
}

/* What it is called, as far as that is a name for people or machines; absent if not. */
static struct view text_of_name(const GENERAL_NAME *name) {
    switch (name->type) {
    case GEN_URI: return text_of(name->d.uniformResourceIdentifier);
    case GEN_EMAIL: return text_of(name->d.rfc822Name);
    case GEN_DNS: return text_of(name->d.dNSName);
    default: return (struct view){0};
    }
}

/* 1: taken, 0: there is none, -1: it is none that one can be called by. */
static int take_alternative(const X509 *leaf, char subject[TLS_SUBJECT_MAX + 1]) {
    GENERAL_NAMES *names = X509_get_ext_d2i(leaf, NID_subject_alt_name, NULL, NULL);
    int found = 0;
    for (int i = 0; i < sk_GENERAL_NAME_num(names) && !found; i++) {
        struct view text = text_of_name(sk_GENERAL_NAME_value(names, i));
        if (text.ptr) found = take(text, subject) ? 1 : -1;
    }
    GENERAL_NAMES_free(names);
    return found;
}

static bool take_common(const X509 *leaf, char subject[TLS_SUBJECT_MAX + 1]) {
    X509_NAME *name = X509_get_subject_name(leaf);
    int at = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
    unsigned char *text = NULL;
    if (at < 0 || X509_NAME_get_index_by_NID(name, NID_commonName, at) >= 0) return false;
    int len = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
    bool ok = len > 0 && take(view_of(text, (size_t)len), subject);
    OPENSSL_free(text);
    return ok;
}

static bool read_subject(const X509 *leaf, char subject[TLS_SUBJECT_MAX + 1]) {
    int found = take_alternative(leaf, subject);
    bool ok = found > 0 || (found == 0 && take_common(leaf, subject));
    ERR_clear_error();
    return ok;
}

static uint64_t end_ms(const X509 *leaf) {
    int64_t end_s;
    if (!asn1_time_seconds(X509_get0_notAfter(leaf), &end_s)) return 1; /* at once */
    return end_s > 0 ? (uint64_t)end_s * 1000 : 1;
}

static uint64_t begin_s(const X509 *leaf) {
    int64_t begin;
    return asn1_time_seconds(X509_get0_notBefore(leaf), &begin) && begin > 0 ? (uint64_t)begin : 0;
}

bool tls_subject(const SSL *tls, struct tls_subject *ret_subject, const char **ret_why) {
    const X509 *leaf = SSL_get0_peer_certificate(tls);
    long fault = leaf ? (long)(intptr_t)SSL_get_ex_data(tls, fault_index()) : X509_V_OK;
    *ret_why = NULL;
    if (!leaf) return false;
    if (fault == X509_V_OK) fault = SSL_get_verify_result(tls);
    ret_subject->end_ms = end_ms(leaf);
    ret_subject->begin_s = begin_s(leaf);
    if (fault != X509_V_OK)
        *ret_why = X509_verify_cert_error_string(fault);
    else if (!read_subject(leaf, ret_subject->name))
        *ret_why = "it has no name of 1 to 128 bytes to be called by";
    return !*ret_why;
}
