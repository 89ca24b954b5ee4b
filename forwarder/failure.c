/* See failure.h. */
#include "failure.h"

#include <stdarg.h>
#include <stdio.h>

bool say_failure(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fputs("ttf: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    return false;
}
