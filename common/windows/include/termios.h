/* How a console takes keys, by POSIX's names for it. */
#ifndef WINDOWS_TERMIOS_H
#define WINDOWS_TERMIOS_H

#define ECHO 1u
#define ICANON 2u
#define ISIG 4u
#define TCSANOW 0
#define TCSAFLUSH 2

typedef unsigned tcflag_t;

struct termios {
    tcflag_t c_lflag;
    unsigned long mode; /* Windows' own */
};

int tcgetattr(int fd, struct termios *ret_state);
int tcsetattr(int fd, int when, const struct termios *state);

#endif
