/* See error_text.h. */
#include <uv.h>

#include "net/error_text.h"

const char *error_text(int error) {
    return uv_strerror(-error);
}
