/* qr_make() (qr.h) of a program that was built where there is no libqrencode. */
#include "display/qr.h"

const char *qr_make(struct qr *ret_qr, const char *text) {
    (void)text;
    ret_qr->width = 0;
    return "this ttf was built without libqrencode";
}

const char *qr_library(void) {
    return NULL;
}
