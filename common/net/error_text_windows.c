/* See error_text.h. There libuv's errors are numbers of its own. */
#include <errno.h>
#include <string.h>
#include <uv.h>

#include "net/error_text.h"

static const struct {
    int error, of_uv;
} known[] = {
    {EACCES, UV_EACCES},
    {EADDRINUSE, UV_EADDRINUSE},
    {EADDRNOTAVAIL, UV_EADDRNOTAVAIL},
    {EAFNOSUPPORT, UV_EAFNOSUPPORT},
    {ECONNABORTED, UV_ECONNABORTED},
    {ECONNREFUSED, UV_ECONNREFUSED},
    {ECONNRESET, UV_ECONNRESET},
    {EHOSTUNREACH, UV_EHOSTUNREACH},
    {EMFILE, UV_EMFILE},
    {ENETDOWN, UV_ENETDOWN},
    {ENETUNREACH, UV_ENETUNREACH},
    {ENOBUFS, UV_ENOBUFS},
    {ENOTCONN, UV_ENOTCONN},
    {EPIPE, UV_EPIPE},
    {EPROTO, UV_EPROTO},
    {ETIMEDOUT, UV_ETIMEDOUT},
};

const char *error_text(int error) {
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (known[i].error == error) return uv_strerror(known[i].of_uv);
    return strerror(error);
}
