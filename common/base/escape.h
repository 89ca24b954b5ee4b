/* Text of ours within text that somebody else reads: completions of shells, man pages. */
#ifndef BASE_ESCAPE_H
#define BASE_ESCAPE_H

#include <stdio.h>

/* `text`, with `escape` in front of each byte of `special`. */
void escape_put(FILE *out, const char *text, const char *special, const char *escape);
/* Within '[…]' of a specification for zsh's _arguments, in single quotes. */
void escape_put_zsh(FILE *out, const char *text);
/* As one word of fish, in single quotes. */
void escape_put_fish(FILE *out, const char *text);
/* As the text of a man page, from the beginning of a line. */
void escape_put_man(FILE *out, const char *text);
/* The same of a text with Markdown's `code` and [links](url): the first in bold, of the second their text. */
void escape_put_man_markdown(FILE *out, const char *text);

#endif
