/* Filters are one block each; few have more. */
#include "rewrite/filter.h"

#include <stdlib.h>

void filter_free(struct filter *filter) {
    if (filter && filter->ops->done) filter->ops->done(filter);
    free(filter);
}
