/* See include/termios.h. */
#include <errno.h>
#include <windows.h>

#include "include/termios.h"

static const struct {
    tcflag_t flag;
    DWORD mode;
} flags[] = {{ECHO, ENABLE_ECHO_INPUT}, {ICANON, ENABLE_LINE_INPUT}, {ISIG, ENABLE_PROCESSED_INPUT}};

int tcgetattr(int fd, struct termios *ret_state) {
    DWORD mode;
    *ret_state = (struct termios){0};
    if (!GetConsoleMode((HANDLE)_get_osfhandle(fd), &mode)) return errno = ENOTTY, -1;
    ret_state->mode = mode;
    for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
        if (mode & flags[i].mode) ret_state->c_lflag |= flags[i].flag;
    return 0;
}

int tcsetattr(int fd, int when, const struct termios *state) {
    HANDLE console = (HANDLE)_get_osfhandle(fd);
    DWORD mode = state->mode;
    for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
        mode &= ~flags[i].mode;
        if (state->c_lflag & flags[i].flag) mode |= flags[i].mode;
    }
    if (when == TCSAFLUSH) FlushConsoleInputBuffer(console);
    return SetConsoleMode(console, mode) ? 0 : (errno = ENOTTY, -1);
}
