/* See acme_files.h. */
#include "acme/acme_files.h"

#include <dirent.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/regular_file.h"
#include "sockets/asn1_time.h"

#define PATH_MAX_BYTES 4700
#define FILE_MAX ((size_t)1024 * 1024)
#define ENDING ".pem"
#define NAME_FLAGS X509_CHECK_FLAG_NEVER_CHECK_SUBJECT

static bool complain(char why[ACME_WHY_MAX], const char *what, const char *reason) {
    snprintf(why, ACME_WHY_MAX, "%.200s: %.190s", what, reason);
    ERR_clear_error();
    return false;
}

/* ---- files ---- */

bool acme_files_prepare(const char *folder) {
    char path[PATH_MAX_BYTES];
    return snprintf(path, sizeof(path), "%s/", folder) < (int)sizeof(path) && file_make_folders(path, 0700);
}

static bool path_of(const char *folder, struct view name, const char *ending, char out[PATH_MAX_BYTES]) {
    int len = snprintf(out, PATH_MAX_BYTES, "%s/%.*s%s", folder, VIEW_ARG(name), ending);
    return len > 0 && len < PATH_MAX_BYTES;
}

/* Of an account's key others must not be able to make another one. False with errno. */
static bool read_file(const char *path, struct buf *out) {
    FILE *file = regular_file_open(path);
    char *room = file ? buf_reserve(out, FILE_MAX) : NULL;
    if (!file) return false;
    size_t len = room ? fread(room, 1, FILE_MAX, file) : 0;
    bool is_others = file_others_can_write(fileno(file)), is_whole = room && !ferror(file) && len < FILE_MAX;
    fclose(file);
    errno = is_others ? EPERM : EFBIG;
    if (is_others || !is_whole) return false;
    buf_commit(out, len);
    return true;
}

/* ---- the account ---- */

static EVP_PKEY *make_account(const char *path, char why[ACME_WHY_MAX]) {
    EVP_PKEY *key = acme_key_new();
    struct buf pem;
    buf_init(&pem, FILE_MAX);
    bool ok = key && acme_key_print(key, &pem);
    if (!ok)
        complain(why, path, "the key cannot be made");
    else if (!file_replace(path, buf_view(&pem)))
        ok = complain(why, path, file_problem(errno));
    if (pem.ptr) explicit_bzero(pem.ptr, pem.cap);
    buf_done(&pem);
    if (ok) return key;
    EVP_PKEY_free(key);
    return NULL;
}

EVP_PKEY *acme_files_account(const char *folder, char why[ACME_WHY_MAX]) {
    char path[PATH_MAX_BYTES];
    struct buf pem;
    EVP_PKEY *key = NULL;
    if (!path_of(folder, VIEW("account"), ".key", path)) {
        complain(why, folder, "the path is too long");
        return NULL;
    }
    buf_init(&pem, FILE_MAX);
    if (read_file(path, &pem)) {
        key = acme_key_parse(buf_view(&pem));
        if (!key) complain(why, path, "it holds no key of P-256 (PEM); without the file one is made");
    } else if (errno == ENOENT)
        key = make_account(path, why);
    else
        complain(why, path, file_problem(errno));
    if (pem.ptr) explicit_bzero(pem.ptr, pem.cap);
    buf_done(&pem);
    return key;
}

/* ---- certificates ---- */

static X509 *parse_leaf(struct view pem) {
    BIO *bio = BIO_new_mem_buf(pem.ptr, (int)pem.len);
    X509 *leaf = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
    BIO_free(bio);
    ERR_clear_error();
    return leaf;
}

/* A wildcard is asked for by itself: a name below it would be good for X509_check_host(), too. */
static bool is_for(X509 *leaf, struct view name) {
    GENERAL_NAMES *names = X509_get_ext_d2i(leaf, NID_subject_alt_name, NULL, NULL);
    bool found = false;
    for (int i = 0; i < sk_GENERAL_NAME_num(names) && !found; i++) {
        const GENERAL_NAME *one = sk_GENERAL_NAME_value(names, i);
        if (one->type != GEN_DNS) continue;
        const ASN1_STRING *text = one->d.dNSName;
        found = view_eq_nocase(view_of(ASN1_STRING_get0_data(text), (size_t)ASN1_STRING_length(text)), name);
    }
    GENERAL_NAMES_free(names);
    return found;
}

static bool is_for_all(X509 *leaf, const struct view *names, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (!is_for(leaf, names[i])) return false;
    return true;
}

/* OpenSSL reads a certificate whose dates are none. */
static bool dates_of(X509 *leaf, int64_t *ret_begin_s, int64_t *ret_end_s) {
    return asn1_time_seconds(X509_get0_notBefore(leaf), ret_begin_s) &&
           asn1_time_seconds(X509_get0_notAfter(leaf), ret_end_s);
}

static bool write_pair(const char *path, struct view chain, EVP_PKEY *key) {
    struct buf text;
    buf_init(&text, FILE_MAX);
    bool ok = buf_append_view(&text, chain) &&
              (chain.ptr[chain.len - 1] == '\n' || buf_append_byte(&text, '\n')) &&
              acme_key_print(key, &text);
    errno = ENOMEM;
    ok = ok && file_replace(path, buf_view(&text));
    int error = errno;
    if (text.ptr) explicit_bzero(text.ptr, text.cap);
    buf_done(&text);
    errno = error;
    return ok;
}

bool acme_files_put(const char *folder, const struct view *names, size_t count, struct view chain,
                    EVP_PKEY *key, char why[ACME_WHY_MAX]) {
    char path[PATH_MAX_BYTES];
    int64_t begin_s, end_s;
    X509 *leaf = chain.len ? parse_leaf(chain) : NULL;
    bool is_ours = leaf && X509_check_private_key(leaf, key) == 1,
         fits = leaf && is_for_all(leaf, names, count), has_dates = leaf && dates_of(leaf, &begin_s, &end_s);
    X509_free(leaf);
    ERR_clear_error();
    if (!is_ours) return complain(why, "its chain", "no certificate of our key comes first in it");
    if (!fits) return complain(why, "its certificate", "it is not for what was ordered");
    if (!has_dates) return complain(why, "its certificate", "its dates cannot be read");
    if (!path_of(folder, names[0], ENDING, path)) return complain(why, folder, "the path is too long");
    return write_pair(path, chain, key) || complain(why, path, file_problem(errno));
}

bool acme_files_dates(const char *folder, const struct view *names, size_t count, int64_t *ret_begin_s,
                      int64_t *ret_end_s) {
    char path[PATH_MAX_BYTES];
    struct buf text;
    buf_init(&text, FILE_MAX);
    bool ok = path_of(folder, names[0], ENDING, path) && read_file(path, &text) && text.len;
    X509 *leaf = ok ? parse_leaf(buf_view(&text)) : NULL;
    ok = leaf && is_for_all(leaf, names, count) && dates_of(leaf, ret_begin_s, ret_end_s);
    X509_free(leaf);
    if (text.ptr) explicit_bzero(text.ptr, text.cap);
    buf_done(&text);
    ERR_clear_error();
    return ok;
}

bool acme_files_read(const char *folder, struct view name, struct buf *out) {
    char path[PATH_MAX_BYTES];
    return path_of(folder, name, ENDING, path) && read_file(path, out);
}

/* Its leaf is for the name, and of the key behind it; then when it begins. */
static bool check_pair(struct view name, struct view pem, int64_t *ret_begin_s) {
    int64_t end_s;
    X509 *leaf = parse_leaf(pem);
    EVP_PKEY *key = acme_key_parse(pem);
    bool ok = leaf && key && X509_check_private_key(leaf, key) == 1 && is_for(leaf, name) &&
              dates_of(leaf, ret_begin_s, &end_s);
    X509_free(leaf);
    EVP_PKEY_free(key);
    ERR_clear_error();
    return ok;
}

bool acme_files_adopt(const char *folder, struct view name, struct view pem, bool *ret_new,
                      char why[ACME_WHY_MAX]) {
    char path[PATH_MAX_BYTES];
    int64_t begin_s, ours_s, end_s;
    *ret_new = false;
    if (!check_pair(name, pem, &begin_s)) return complain(why, "it", "no certificate for it with its key");
    if (!path_of(folder, name, ENDING, path)) return complain(why, folder, "the path is too long");
    if (acme_files_dates(folder, &name, 1, &ours_s, &end_s) && ours_s >= begin_s) return true;
    *ret_new = file_replace(path, pem);
    return *ret_new || complain(why, path, file_problem(errno));
}

void acme_files_remove(const char *folder, struct view name) {
    char path[PATH_MAX_BYTES];
    if (path_of(folder, name, ENDING, path)) unlink(path);
}

void acme_files_list(const char *folder, void (*found)(void *ctx, struct view name), void *ctx) {
    DIR *dir = opendir(folder);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        struct view file = view_from_cstr(entry->d_name);
        if (view_ends_with(file, VIEW(ENDING)) && file.len > strlen(ENDING))
            found(ctx, view_slice(file, 0, file.len - strlen(ENDING)));
    }
    if (dir) closedir(dir);
}
