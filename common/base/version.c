/* See version.h. */
#include "base/version.h"

void version_line(FILE *out, const char *program) {
    const char *commit = TTF_COMMIT;
    fprintf(out, "%s " TTF_VERSION "%s%s%s\n", program, *commit ? " (" : "", commit, *commit ? ")" : "");
}
