/* See acme_request.h. */
#include "acme/acme_request.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#define DIGEST_LEN 32
#define DAY_S 86400

/* ---- names ---- */

static bool push_name(GENERAL_NAMES *names, struct view text) {
    GENERAL_NAME *name = GENERAL_NAME_new();
    ASN1_IA5STRING *value = ASN1_IA5STRING_new();
    if (!name || !value || ASN1_STRING_set(value, text.ptr, (int)text.len) != 1) {
        GENERAL_NAME_free(name);
        ASN1_IA5STRING_free(value);
        return false;
    }
    GENERAL_NAME_set0_value(name, GEN_DNS, value);
    if (sk_GENERAL_NAME_push(names, name) > 0) return true;
    GENERAL_NAME_free(name);
    return false;
}

static GENERAL_NAMES *make_names(const struct view *texts, size_t count) {
    GENERAL_NAMES *names = sk_GENERAL_NAME_new_null();
    for (size_t i = 0; names && i < count; i++) {
        if (push_name(names, texts[i])) continue;
        GENERAL_NAMES_free(names);
        return NULL;
    }
    return names;
}

/* ---- the request ---- */

static bool add_names(X509_REQ *request, const struct view *texts, size_t count) {
    GENERAL_NAMES *names = make_names(texts, count);
    STACK_OF(X509_EXTENSION) *extensions = NULL;
    bool ok = names &&
              X509V3_add1_i2d(&extensions, NID_subject_alt_name, names, 0, X509V3_ADD_DEFAULT) == 1 &&
              X509_REQ_add_extensions(request, extensions) == 1;
    sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
    GENERAL_NAMES_free(names);
    return ok;
}

static bool append_der(const X509_REQ *request, struct buf *der) {
    unsigned char *bytes = NULL;
    int len = i2d_X509_REQ(request, &bytes);
    bool ok = len > 0 && buf_append(der, bytes, (size_t)len);
    OPENSSL_free(bytes);
    return ok;
}

bool acme_request_print(EVP_PKEY *key, const struct view *names, size_t count, struct buf *der) {
    X509_REQ *request = X509_REQ_new();
    bool ok = request && X509_REQ_set_version(request, X509_REQ_VERSION_1) == 1 &&
              X509_REQ_set_pubkey(request, key) == 1 && add_names(request, names, count) &&
              X509_REQ_sign(request, key, EVP_sha256()) > 0 && append_der(request, der);
    X509_REQ_free(request);
    ERR_clear_error();
    return ok;
}

/* ---- what stands in ---- */

/* id-pe-acmeIdentifier, critical: an OCTET STRING of the digest (RFC 8737 3). */
static bool add_digest(X509 *certificate, struct view text) {
    unsigned char bytes[2 + DIGEST_LEN] = {0x04, DIGEST_LEN};
    ASN1_OBJECT *id = OBJ_txt2obj("1.3.6.1.5.5.7.1.31", 1);
    ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
    X509_EXTENSION *extension = NULL;
    if (id && value && EVP_Q_digest(NULL, "SHA256", NULL, text.ptr, text.len, bytes + 2, NULL) == 1 &&
        ASN1_OCTET_STRING_set(value, bytes, sizeof(bytes)) == 1)
        extension = X509_EXTENSION_create_by_OBJ(NULL, id, 1, value);
    bool ok = extension && X509_add_ext(certificate, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    ASN1_OCTET_STRING_free(value);
    ASN1_OBJECT_free(id);
    return ok;
}

static bool add_name(X509 *certificate, struct view text) {
    GENERAL_NAMES *names = make_names(&text, 1);
    bool ok =
        names && X509_add1_ext_i2d(certificate, NID_subject_alt_name, names, 0, X509V3_ADD_DEFAULT) == 1;
    GENERAL_NAMES_free(names);
    return ok;
}

static bool fill(X509 *certificate, EVP_PKEY *key, struct view name, struct view text) {
    X509_NAME *subject = X509_get_subject_name(certificate);
    return X509_set_version(certificate, X509_VERSION_3) == 1 &&
           ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1) == 1 &&
           X509_gmtime_adj(X509_getm_notBefore(certificate), -DAY_S) &&
           X509_gmtime_adj(X509_getm_notAfter(certificate), DAY_S) &&
           X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)"challenge", -1, -1,
                                      0) == 1 &&
           X509_set_issuer_name(certificate, subject) == 1 && X509_set_pubkey(certificate, key) == 1 &&
           add_name(certificate, name) && add_digest(certificate, text) &&
           X509_sign(certificate, key, EVP_sha256()) > 0;
}

X509 *acme_request_challenge(EVP_PKEY *key, struct view name, struct view text) {
    X509 *certificate = X509_new();
    if (certificate && !fill(certificate, key, name, text)) {
        X509_free(certificate);
        certificate = NULL;
    }
    ERR_clear_error();
    return certificate;
}
