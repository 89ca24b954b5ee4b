/* See tty.h. Consoles of Windows 10 know xterm's sequences once they are asked to; keys that nobody reads are
 * not shown there. */
#include <io.h>
#include <signal.h>
#include <string.h>
#include <windows.h>

#include "display/tty.h"

static struct {
    volatile sig_atomic_t is_taken;
    HANDLE console;
    const char *farewell;
} current;

static HANDLE console_of(int fd) {
    return (HANDLE)_get_osfhandle(fd);
}

bool tty_takes_colour(int fd) {
    DWORD mode;
    return GetConsoleMode(console_of(fd), &mode) &&
           SetConsoleMode(console_of(fd),
                          mode | ENABLE_PROCESSED_OUTPUT | ENABLE_VIRTUAL_TERMINAL_PROCESSING);
}

bool tty_is_ours(int fd) {
    return tty_takes_colour(fd);
}

/* The console is told so: what ttf writes is UTF-8. */
bool tty_speaks_utf8(void) {
    return SetConsoleOutputCP(CP_UTF8);
}

bool tty_size(int fd, size_t *ret_columns, size_t *ret_rows) {
    CONSOLE_SCREEN_BUFFER_INFO info;
    if (!GetConsoleScreenBufferInfo(console_of(fd), &info)) return false;
    *ret_columns = (size_t)(info.srWindow.Right - info.srWindow.Left + 1);
    *ret_rows = (size_t)(info.srWindow.Bottom - info.srWindow.Top + 1);
    return true;
}

static BOOL WINAPI on_end(DWORD what) {
    DWORD written;
    bool is_end = what == CTRL_CLOSE_EVENT || what == CTRL_LOGOFF_EVENT || what == CTRL_SHUTDOWN_EVENT;
    if (is_end && current.is_taken)
        WriteFile(current.console, current.farewell, (DWORD)strlen(current.farewell), &written, NULL);
    return FALSE; /* others hear of it, too */
}

void tty_take(int fd, const char *farewell) {
    current.console = console_of(fd);
    current.farewell = farewell;
    current.is_taken = 1;
    SetConsoleCtrlHandler(on_end, TRUE);
}

void tty_give_back(void) {
    current.is_taken = 0;
    SetConsoleCtrlHandler(on_end, FALSE);
}
