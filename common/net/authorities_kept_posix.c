/* See authorities.h. */
#include "net/authorities.h"

void authorities_add_kept(struct x509_store_st *store) {
    (void)store; /* there are none */
}
