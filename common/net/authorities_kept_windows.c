/* See authorities.h: the store of root certificates. */
#include <wincrypt.h>
#include <windows.h>

#undef X509_NAME /* of wincrypt.h */
#undef X509_EXTENSIONS
#undef PKCS7_ISSUER_AND_SERIAL
#undef PKCS7_SIGNER_INFO
#undef OCSP_REQUEST
#undef OCSP_RESPONSE

#include <openssl/err.h>
#include <openssl/x509.h>

#include "net/authorities.h"

/* One that makes no sense to OpenSSL, or is there already, is passed over. */
static void add(X509_STORE *store, const CERT_CONTEXT *kept) {
    const unsigned char *bytes = kept->pbCertEncoded;
    X509 *certificate = d2i_X509(NULL, &bytes, (long)kept->cbCertEncoded);
    if (certificate) X509_STORE_add_cert(store, certificate);
    X509_free(certificate);
}

void authorities_add_kept(struct x509_store_st *store) {
    HCERTSTORE roots = CertOpenSystemStoreW(0, L"ROOT");
    if (!roots) return;
    for (const CERT_CONTEXT *kept = NULL; (kept = CertEnumCertificatesInStore(roots, kept));)
        add(store, kept);
    CertCloseStore(roots, 0);
    ERR_clear_error();
}
