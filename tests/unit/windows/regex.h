/* POSIX's regex.h: nothing matches. */
#ifndef UNIT_WINDOWS_REGEX_H
#define UNIT_WINDOWS_REGEX_H

#define REG_EXTENDED 1

typedef struct {
    const char *text;
} regex_t;

#define regcomp(pattern, expression, how) ((pattern)->text = (expression))
#define regexec(pattern, said, count, matches, how) (-1)
#define regfree(pattern) ((void)(pattern))

#endif
