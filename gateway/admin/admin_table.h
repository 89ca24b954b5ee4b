/* Rows of JSON as an aligned table for people. What a terminal may take for something else is shown as '?'.
 */
#ifndef GATEWAY_ADMIN_TABLE_H
#define GATEWAY_ADMIN_TABLE_H

#include <jansson.h>
#include <stdio.h>

#define ADMIN_COLUMNS_MAX 12

/* `columns`: names of members, in capitals in the first line; NULL behind the last. */
void admin_table_print(FILE *out, const json_t *rows, const char *const *columns);

#endif
