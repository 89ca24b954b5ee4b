/* From what there is to show to the text of a screen: a function of its arguments alone. */
#ifndef DISPLAY_LAYOUT_H
#define DISPLAY_LAYOUT_H

#include "display/board.h"
#include "display/line.h"

#define LAYOUT_MOST 500 /* columns and rows that are made use of */

/* Appends `rows` lines at most, none wider than `columns` cells, with '\n' between them. What stands above
 * the list of requests is shortened where there is little room; URLs come whole before all else. */
void layout_draw(const struct board *board, size_t columns, size_t rows, struct line_style style,
                 struct buf *out);

#endif
