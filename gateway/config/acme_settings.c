/* See acme_settings.h. */
#include "config/acme_settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/secret_file.h"
#include "issuer/jwks_url.h"

#define EMAIL_MAX 254
#define AUTHORITY_MAX 200

/* As a name of a folder: of its URL what stands behind https://, other bytes than these as '_'. */
static void name_of(const char *url, char out[AUTHORITY_MAX + 1]) {
    static const char kept[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.";
    struct view name = view_slice(view_skip(view_from_cstr(url), strlen("https://")), 0, AUTHORITY_MAX);
    for (size_t i = 0; i < name.len; i++) out[i] = strchr(kept, name.ptr[i]) ? name.ptr[i] : '_';
    out[name.len] = '\0';
    if (out[0] == '.') out[0] = '_';
}

char *config_acme_folder(const struct config *config) {
    char authority[AUTHORITY_MAX + 1], name[AUTHORITY_MAX + 8], path[STATE_PATH_MAX];
    name_of(config->acme_directory, authority);
    snprintf(name, sizeof(name), "acme/%s", authority);
    char *folder = config_state_path(config, name, path) ? view_to_cstr(view_from_cstr(path)) : NULL;
    if (!folder) fprintf(stderr, "%s: --state-dir: the path is too long\n", program_name());
    return folder;
}

/* What goes into a mailto: URL and into JSON as it is. */
const char *acme_email_fault(struct view email) {
    size_t at = view_find(email, '@');
    for (size_t i = 0; i < email.len; i++) {
        unsigned char byte = (unsigned char)email.ptr[i];
        if (byte <= 0x20 || byte >= 0x7f || strchr("\"\\,;:<>()[]?%&", byte))
            return "it has bytes that are not expected in an address";
    }
    bool is_one = at > 0 && at + 1 < email.len && view_find_last(email, '@') == at && email.len <= EMAIL_MAX;
    return is_one ? NULL : "expected one address, as admin@example.com";
}

const char *acme_directory_fault(struct view url) {
    return jwks_url_fault(url) ? "expected https://… of an authority's directory" : NULL;
}

const char *acme_domain_fault(struct view domain) {
    struct view last = view_skip(domain, view_find_last(domain, '.') + 1);
    if (view_find(domain, '.') == domain.len)
        return "no authority knows it: say a domain of yours with --domain";
    if (last.len && last.ptr[0] >= '0' && last.ptr[0] <= '9')
        return "certificates are for names, not for addresses: say a domain of yours with --domain";
    return NULL;
}

const char *acme_hook_fault(const char *path) {
    struct stat status;
    if (path[0] != '/') return "expected an absolute path";
    if (stat(path, &status) != 0) return "it cannot be found";
    return S_ISREG(status.st_mode) && access(path, X_OK) == 0 ? NULL : "it is no program that we may start";
}
