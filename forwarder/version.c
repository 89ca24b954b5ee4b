/* See version.h. */
#include "version.h"

#include <openssl/crypto.h>
#include <uv.h>

#include "link/link.h"
#include "yaml/config_file.h"

void version_print(FILE *out) {
    const char *commit = TTF_COMMIT;
    fprintf(out, "ttf " TTF_VERSION "%s%s%s\n", *commit ? " (" : "", commit, *commit ? ")" : "");
    fprintf(out, "%s, libuv %s, %s, %s\n", OpenSSL_version(OPENSSL_VERSION), uv_version_string(),
            link_library(), config_file_library());
}
