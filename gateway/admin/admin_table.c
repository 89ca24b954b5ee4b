/* See admin_table.h. */
#include "admin/admin_table.h"

#include <ctype.h>
#include <string.h>

#include "base/utf8.h"

#define CELL_MAX 200

struct cell {
    char text[4 * CELL_MAX + 1];
    size_t width; /* in characters */
};

/* Nothing that moves the cursor, or turns the direction of writing. */
static bool is_harmless(uint32_t code) {
    return code >= 0x20 && !(code >= 0x7f && code <= 0x9f) && code != 0x200e && code != 0x200f &&
           !(code >= 0x2028 && code <= 0x202e) && !(code >= 0x2066 && code <= 0x2069) && code != 0xfeff;
}

static void put_text(struct cell *cell, const char *text) {
    size_t left = strlen(text), used = 0;
    for (cell->width = 0; left && cell->width < CELL_MAX; cell->width++) {
        uint32_t code;
        size_t len = utf8_next((const unsigned char *)text, left, &code);
        bool is_shown = len && is_harmless(code);
        memcpy(cell->text + used, is_shown ? text : "?", is_shown ? len : 1);
        used += is_shown ? len : 1;
        text += len ? len : 1;
        left -= len ? len : 1;
    }
    cell->text[used] = '\0';
}

static void make_cell(const json_t *row, const char *column, struct cell *cell) {
    const json_t *value = json_object_get(row, column);
    char number[64] = "";
    if (json_is_integer(value))
        snprintf(number, sizeof(number), "%lld", (long long)json_integer_value(value));
    if (json_is_real(value)) snprintf(number, sizeof(number), "%.1f", json_real_value(value));
    const char *text = json_is_string(value) ? json_string_value(value) : number;
    put_text(cell, *text ? text : "-");
}

static void print_cell(FILE *out, const char *text, size_t width, size_t column_width, bool is_last) {
    fputs(text, out);
    if (is_last)
        fputc('\n', out);
    else
        fprintf(out, "%*s", (int)(column_width - width + 2), "");
}

static void print_head(FILE *out, const char *const *columns, const size_t *widths) {
    for (size_t i = 0; columns[i]; i++) {
        char name[32] = "";
        for (size_t j = 0; columns[i][j] && j + 1 < sizeof(name); j++)
            name[j] = columns[i][j] == '_' ? ' ' : (char)toupper((unsigned char)columns[i][j]);
        print_cell(out, name, strlen(name), widths[i], !columns[i + 1]);
    }
}

void admin_table_print(FILE *out, const json_t *rows, const char *const *columns) {
    size_t widths[ADMIN_COLUMNS_MAX] = {0}, count = json_array_size(rows);
    static struct cell cell;
    for (size_t i = 0; columns[i]; i++) {
        widths[i] = strlen(columns[i]);
        for (size_t row = 0; row < count; row++) {
            make_cell(json_array_get(rows, row), columns[i], &cell);
            if (cell.width > widths[i]) widths[i] = cell.width;
        }
    }
    print_head(out, columns, widths);
    for (size_t row = 0; row < count; row++)
        for (size_t i = 0; columns[i]; i++) {
            make_cell(json_array_get(rows, row), columns[i], &cell);
            print_cell(out, cell.text, cell.width, widths[i], !columns[i + 1]);
        }
}
