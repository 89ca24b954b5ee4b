/* See version.h. */
#include "version.h"

#include <openssl/crypto.h>
#include <uv.h>

#include "base/version.h"
#include "coding/decoder.h"
#include "display/qr.h"
#include "link/link.h"
#include "mhd/mhd_loop.h"
#include "protocol/v1.h"
#include "sandbox/sandbox.h"
#include "yaml/config_file.h"

void version_print(FILE *out) {
    version_line(out, "ttf");
    fprintf(out, "%s\nlibuv %s, ", OpenSSL_version(OPENSSL_VERSION), uv_version_string());
    const char *const names[] = {link_library(),      mhd_loop_library(), v1_library(), config_file_library(),
                                 decoder_libraries(), sandbox_library(),  qr_library()};
    version_libraries(out, names, sizeof(names) / sizeof(names[0]));
}
