/* See version.h. */
#include "base/version.h"

void version_line(FILE *out, const char *program) {
    const char *commit = TTF_COMMIT;
    fprintf(out, "%s " TTF_VERSION "%s%s%s\n", program, *commit ? " (" : "", commit, *commit ? ")" : "");
}

void version_libraries(FILE *out, const char *const *names, size_t count) {
    const char *between = "";
    for (size_t i = 0; i < count; i++) {
        if (!names[i]) continue;
        fprintf(out, "%s%s", between, names[i]);
        between = ", ";
    }
    fputc('\n', out);
}
