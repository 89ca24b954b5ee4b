/* Headers of the PROXY protocol. */
#include "cmocka_setup.h"
#include "sockets/address.h"
#include "sockets/proxy_header.h"

#define V2 "\r\n\r\n\0\r\nQUIT\n"
#define V4 "\xc0\0\x02\x01\xc6\x33\x64\x01\x12\x67\x01\xbb"
#define V6                                                                                                   \
    "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x02\x12\x67\x01\xbb"
#define MORE PROXY_HEADER_MORE
#define DONE PROXY_HEADER_DONE
#define BAD PROXY_HEADER_BAD

static const struct {
    struct view bytes;
    enum proxy_header_step step;
    const char *address; /* NULL: it names none */
    size_t behind;       /* bytes that are not of the header */
} rows[] = {
    {VIEW(""), MORE, NULL, 0},
    {VIEW("P"), MORE, NULL, 0},
    {VIEW("PROXY"), MORE, NULL, 0},
    {VIEW("PROXY TCP4 192.0.2.1 198.51.100.1 1 2\r"), MORE, NULL, 0},
    {VIEW("PROXY TCP4 192.0.2.1 198.51.100.1 4711 443\r\n"), DONE, "192.0.2.1", 0},
    {VIEW("PROXY TCP4 192.0.2.1 198.51.100.1 4711 443\r\nGET /"), DONE, "192.0.2.1", 5},
    {VIEW("PROXY TCP4 192.0.2.1 198.51.100.1 0 65535\r\n"), DONE, "192.0.2.1", 0},
    {VIEW("PROXY TCP6 2001:db8::1 2001:db8::2 4711 443\r\n"), DONE, "2001:db8::1", 0},
    {VIEW("PROXY UNKNOWN\r\n"), DONE, NULL, 0},
    {VIEW("PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n"), DONE, NULL, 0},
    /* not version 1 */
    {VIEW("GET / HTTP/1.1\r\n"), BAD, NULL, 0},
    {VIEW("PROXY\r\n"), BAD, NULL, 0},
    {VIEW("PROXY \r\n"), BAD, NULL, 0},
    {VIEW("proxy TCP4 192.0.2.1 198.51.100.1 4711 443\r\n"), BAD, NULL, 0},
    {VIEW("PROXY UNKNOWNX\r\n"), BAD, NULL, 0},
    {VIEW("PROXY TCP5 192.0.2.1 198.51.100.1 4711 443\r\n"), BAD, NULL, 0},
    {VIEW("PROXY TCP4 192.0.2.1 198.51.100.1 4711 443\n"), BAD, NULL, 0},
    {VIEW("PROXY TCP4  192.0.2.1 198.51.100.1 4711 443\r\n"), BAD, NULL, 0},
    {VIEW("PROXY TCP4 192.0.2.1 198.51.100.1 4711\r\n"), BAD, NULL, 0},
    {VIEW("PROXY TCP4 192.0.2.1 198.51.100.1 4711 443 \r\n"), BAD, NULL, 0},
    {VIEW("PROXY TCP4 192.0.2.1 198.51.100.1 4711 443 1\r\n"), BAD, NULL, 0},
    {VIEW("PROXY TCP4 192.0.2.1 198.51.100.1 04711 443\r\n"), BAD, NULL, 0},
    {VIEW("PROXY TCP4 192.0.2.1 198.51.100.1 65536 443\r\n"), BAD, NULL, 0},
    {VIEW("PROXY TCP4 192.0.2.1 198.51.100.1 -1 443\r\n"), BAD, NULL, 0},
    {VIEW("PROXY TCP4 192.0.2.300 198.51.100.1 4711 443\r\n"), BAD, NULL, 0},
    {VIEW("PROXY TCP4 2001:db8::1 2001:db8::2 4711 443\r\n"), BAD, NULL, 0},
    {VIEW("PROXY TCP6 192.0.2.1 198.51.100.1 4711 443\r\n"), BAD, NULL, 0},
    {VIEW("PROXY UNKNOWN "
          "00000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
          "00000000000\r\n"),
     BAD, NULL, 0},
    /* version 2 */
    {VIEW("\r\n\r\n"), MORE, NULL, 0},
    {VIEW(V2), MORE, NULL, 0},
    {VIEW(V2 "\x21\x11\0\x0c"), MORE, NULL, 0},
    {VIEW(V2 "\x21\x11\0\x0c" V4), DONE, "192.0.2.1", 0},
    {VIEW(V2 "\x21\x11\0\x0c" V4 "\x16\x03"), DONE, "192.0.2.1", 2},
    {VIEW(V2 "\x21\x11\0\x10" V4 "\x04\0\x01x"), DONE, "192.0.2.1", 0}, /* says more */
    {VIEW(V2 "\x21\x21\0\x24" V6), DONE, "2001:db8::1", 0},
    {VIEW(V2 "\x20\x11\0\x0c" V4), DONE, NULL, 0}, /* the proxy's own connection */
    {VIEW(V2 "\x20\0\0\0"), DONE, NULL, 0},
    {VIEW(V2 "\x21\0\0\0"), DONE, NULL, 0},
    {VIEW(V2 "\x21\x31\0\0"), DONE, NULL, 0},
    /* not version 2 */
    {VIEW("\r\n\r\n\0\r\nQUIX\n"), BAD, NULL, 0},
    {VIEW(V2 "\x11\x11\0\x0c" V4), BAD, NULL, 0},
    {VIEW(V2 "\x22\x11\0\x0c" V4), BAD, NULL, 0},
    {VIEW(V2 "\x21\x12\0\x0c" V4), BAD, NULL, 0}, /* UDP */
    {VIEW(V2 "\x21\x11\0\x0b\xc0\0\x02\x01\xc6\x33\x64\x01\x12\x67\x01"), BAD, NULL, 0},
    {VIEW(V2 "\x21\x21\0\x0c" V4), BAD, NULL, 0},
    {VIEW(V2 "\x21\x11\xff\xff"), BAD, NULL, 0},
};

static void test_rows(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct proxy_header header;
        char text[ADDRESS_TEXT_MAX] = "";
        enum proxy_header_step step = proxy_header_parse(rows[i].bytes, &header);
        if (step == DONE && header.has_address) address_text((struct sockaddr *)&header.address, text);
        bool same = step == rows[i].step && strcmp(text, rows[i].address ? rows[i].address : "") == 0 &&
                    (step != DONE || header.len == rows[i].bytes.len - rows[i].behind);
        if (!same) fail_msg("row %zu: step %d, address \"%s\", %zu bytes", i, (int)step, text, header.len);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
