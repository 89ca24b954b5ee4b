/* libFuzzer target: what gateways tell each other of owners. What is read, is read again as it was when we
 * write it. */
#include "fuzz.h"
#include "store/spent.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char *copy = exact_copy(view_of(data, size));
    struct spent spent, again;
    struct buf text;
    buf_init(&text, (size_t)2 * SPENT_MAX);
    if (spent_decode(view_of(copy, size), &spent)) {
        require(spent.owner.len > 0 && spent.owner.len <= OWNER_MAX);
        require(spent_encode(&text, &spent) && spent_decode(buf_view(&text), &again));
        require(view_eq(spent.owner, again.owner) && view_eq(spent.gateway, again.gateway));
        require(spent.spending.requests == again.spending.requests);
        require(spent.spending.bytes == again.spending.bytes);
    }
    buf_done(&text);
    free(copy);
    return 0;
}
