/* See asn1_time.h. */
#include "sockets/asn1_time.h"

#include <time.h>

bool asn1_time_seconds(const ASN1_TIME *time, int64_t *ret_s) {
    struct tm fields = {0};
    if (ASN1_TIME_to_tm(time, &fields) != 1) return false;
    *ret_s = (int64_t)timegm(&fields);
    return true;
}
