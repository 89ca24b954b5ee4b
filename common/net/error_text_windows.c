/* See error_text.h. */
#include <string.h>

#include "net/error_text.h"

const char *error_text(int error) {
    return strerror(error);
}
