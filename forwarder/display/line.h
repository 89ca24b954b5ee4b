/* One line of a terminal, so many cells wide and never wider. What comes from outside is appended as text
 * that a terminal cannot take for anything else: letters that are known to be one or two cells wide as they
 * are, also where they were percent-encoded in a request's target; anything else as \xNN, or as it was
 * encoded. */
#ifndef DISPLAY_LINE_H
#define DISPLAY_LINE_H

#include "base/buf.h"

enum line_colour {
    COLOUR_NONE,
    COLOUR_DIM,
    COLOUR_BOLD,
    COLOUR_GREEN,
    COLOUR_CYAN,
    COLOUR_YELLOW,
    COLOUR_RED
};

/* What the terminal can show. */
struct line_style {
    bool colour, utf8;
};

struct line {
    struct buf *out; /* borrowed */
    struct line_style style;
    size_t used, width; /* cells */
};

void line_begin(struct line *line, struct buf *out, struct line_style style, size_t width);
/* As much of it as fits in `most` cells and the rest of the line; what was left out shows as an ellipsis. */
void line_text(struct line *line, struct view text, size_t most);
/* The same for a request's target. */
void line_target(struct line *line, struct view target, size_t most);
void line_printf(struct line *line, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Until the next one. Takes no room. */
void line_colour(struct line *line, enum line_colour colour);
/* Spaces up to that cell. */
void line_pad(struct line *line, size_t cell);
/* So that it ends `cells` further on; at least one space stands before the next. */
void line_right(struct line *line, struct view text, size_t cells);
static inline size_t line_room(const struct line *line) {
    return line->width - line->used;
}

/* How many cells the character takes: 1 or 2; 0 for all that is not known to be shown in either. */
unsigned line_cells(uint32_t code);

#endif
