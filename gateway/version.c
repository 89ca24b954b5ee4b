/* See version.h. */
#include "version.h"

#include <openssl/crypto.h>
#include <uv.h>

#include "agents/ws_server.h"
#include "base/version.h"
#include "coding/decoder.h"
#include "config/config_table.h"
#include "dns/ares_loop.h"
#include "fetch/http_client.h"
#include "link/link.h"
#include "mhd/mhd_loop.h"
#include "protocol/v1.h"
#include "sandbox/sandbox.h"
#include "store/redis_link.h"
#include "yaml/config_file.h"

void version_print(FILE *out) {
    version_line(out, program_name());
    fprintf(out, "%s\nlibuv %s, ", OpenSSL_version(OPENSSL_VERSION), uv_version_string());
    const char *const names[] = {link_library(),        ws_server_library(),   mhd_loop_library(),
                                 v1_library(),          config_file_library(), redis_link_library(),
                                 http_client_library(), ares_loop_library(),   decoder_libraries(),
                                 sandbox_library()};
    version_libraries(out, names, sizeof(names) / sizeof(names[0]));
}
