/* The page that shows how the gateways are: `/` of the admin port. It holds nothing by itself; what it shows
 * it asks of the API, with the token that its reader types. */
#ifndef GATEWAY_ADMIN_STATUS_PAGE_H
#define GATEWAY_ADMIN_STATUS_PAGE_H

#include <microhttpd.h>
#include <stddef.h>

extern const unsigned char status_html[], openapi_json[];
extern const size_t status_html_len, openapi_json_len;

/* With a policy by which no other script runs, and nobody else is asked. */
enum MHD_Result status_page_answer(struct MHD_Connection *connection);
enum MHD_Result status_page_openapi(struct MHD_Connection *connection);

#endif
