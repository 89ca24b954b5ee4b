/* qr_make() (qr.h) by libqrencode. */
#include <qrencode.h>
#include <stdio.h>

#include "display/qr.h"

const char *qr_make(struct qr *ret_qr, const char *text) {
    ret_qr->width = 0;
    QRcode *code = QRcode_encodeString8bit(text, 0, QR_ECLEVEL_L);
    size_t width = code ? (size_t)code->width : 0;
    if (width && width <= QR_WIDTH_MOST) {
        for (size_t i = 0; i < width * width; i++) ret_qr->dark[i] = code->data[i] & 1;
        ret_qr->width = width;
    }
    QRcode_free(code);
    return ret_qr->width ? NULL : "the URL is too long for it";
}

const char *qr_library(void) {
    static char text[48];
    snprintf(text, sizeof(text), "libqrencode %.30s", QRcode_APIVersionString());
    return text;
}
