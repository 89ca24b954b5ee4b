/* libFuzzer target: answers of name servers. What proves something says it: the record's last byte is there.
 */
#include "dns/dns_proofs.h"
#include "fuzz.h"

#define RECORD "ttf-owner=ann@localhost"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len) {
    if (len > 65535) return 0;
    char *answer = exact_copy(view_of(bytes, len));
    enum proof proof = dns_proof_of((unsigned char *)answer, (int)len, RECORD);
    require(proof != PROOF_HOLDS || len > sizeof(RECORD));
    require(proof == PROOF_HOLDS || proof == PROOF_NONE || proof == PROOF_UNKNOWN);
    free(answer);
    return 0;
}
