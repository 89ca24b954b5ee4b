/* Filters are one block each, so freeing is the same for all. */
#include "rewrite/filter.h"

#include <stdlib.h>

void filter_free(struct filter *filter) {
    free(filter);
}
