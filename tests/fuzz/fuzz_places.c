/* libFuzzer target: places of the network in the words of settings: URLs of gateways, Redis and services,
 * addresses to listen at, networks. The whole input is read as each of them. What is taken is NUL-terminated
 * text within its arrays; what is refused is refused with a reason, and secrets are not in what is shown. */
#include <stdio.h>

#include "base/units.h"
#include "endpoint.h"
#include "fuzz.h"
#include "inspect/place.h"
#include "mcp/agent_api.h"
#include "net/ws_url.h"
#include "service_word.h"
#include "sockets/address.h"
#include "store/redis_url.h"

#define TEXT(array) require(memchr(array, '\0', sizeof(array)) != NULL)

static void as_ws_url(struct view text) {
    struct ws_url url, again;
    char joined[1024];
    const char *why = ws_url_parse(text, &url);
    require(!why || why[0]);
    if (why) return;
    TEXT(url.host), TEXT(url.authority), TEXT(url.path);
    require(url.host[0] && url.port && url.path[0] == '/');
    int len = snprintf(joined, sizeof(joined), "%s://%s%s", url.tls ? "wss" : "ws", url.authority, url.path);
    require(!ws_url_parse(view_of(joined, (size_t)len), &again));
    require(again.port == url.port && strcmp(again.host, url.host) == 0 && strcmp(again.path, url.path) == 0);
}

static void as_redis_url(struct view text) {
    struct redis_url url;
    const char *why = redis_url_parse(text, &url);
    require(!why || why[0]);
    if (why) return;
    TEXT(url.host), TEXT(url.path), TEXT(url.user), TEXT(url.password), TEXT(url.shown);
    require((url.host[0] != '\0') != (url.path[0] != '\0'));
    require(url.path[0] || (url.port >= 1 && url.port <= 65535));
    /* no user and no password */
    require(!strchr(url.shown, '@') || strchr(url.path, '@'));
}

static void as_endpoint(const char *text) {
    struct endpoint endpoint;
    char error[512] = "";
    bool good = endpoint_parse(text, &endpoint, error, sizeof(error));
    require(good || error[0]);
    TEXT(error);
    if (!good) return;
    TEXT(endpoint.host), TEXT(endpoint.authority), TEXT(endpoint.target), TEXT(endpoint.shown);
    require(endpoint.host[0] && endpoint.port && endpoint.target[0] == '/');
    for (const char *c = endpoint.target; *c; c++) require(*c > ' ' && *c < 0x7f);
    for (const char *c = endpoint.authority; *c; c++) require(*c > ' ' && *c < 0x7f);
    endpoint_is_loopback(&endpoint);
    endpoint_is_aws(&endpoint);
}

static void as_service_word(const char *text) {
    struct service_word service;
    const char *why = service_word_parse(text, &service);
    require(!why || why[0]);
    if (why) return;
    TEXT(service.host);
    require(!(service.folder && service.unix_path));
    require((service.port == 0) == (service.folder || service.unix_path));
}

static void as_agent_api(const char *text) {
    struct agent_api_place place;
    const char *why = agent_api_parse(text, &place);
    require(!why || why[0]);
    if (why) return;
    TEXT(place.host);
    require(place.host[0] && place.port);
}

/* Of all addresses some are in it; of one kind only. */
static void is_in(const struct network *network) {
    static const struct view all[] = {
        {"127.0.0.1", 9}, {"10.127.255.9", 12}, {"::1", 3}, {"2001:db8:8000::1", 16}};
    struct sockaddr_storage address, nowhere = {.ss_family = AF_UNIX};
    require(network->bits <= (network->is_v6 ? 128u : 32u));
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        require(sockaddr_parse(all[i], &address));
        bool found = network_has(network, (struct sockaddr *)&address);
        if (!network->bits) require(found == (network->is_v6 == (address.ss_family == AF_INET6)));
    }
    char shown[ADDRESS_TEXT_MAX];
    require(!network_has(network, (struct sockaddr *)&nowhere));
    address_text((struct sockaddr *)&nowhere, shown);
}

static void as_addresses(struct view text) {
    struct listen_address listen;
    struct inspect_place place;
    struct network network;
    struct sockaddr_storage address;
    const char *why = NULL;
    char shown[ADDRESS_TEXT_MAX];
    bool good = listen_address_parse(text, &listen, &why);
    require(good || (why && why[0]));
    if (good) TEXT(listen.host);
    if (inspect_place_parse(text, &place)) require(place.is_off || place.address.ss_family != AF_UNSPEC);
    if (network_parse(text, &network)) is_in(&network);
    if (!sockaddr_parse(text, &address)) return;
    address_text((struct sockaddr *)&address, shown);
    TEXT(shown);
    struct sockaddr_storage again;
    require(sockaddr_parse(view_from_cstr(shown), &again) && again.ss_family == address.ss_family);
    require(network_parse(view_from_cstr(shown), &network));
    require(network_has(&network, (struct sockaddr *)&address));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct view text = view_of(data, size);
    uint64_t ms;
    char *copy = exact_copy(text), *cstr = view_to_cstr(text);
    require(cstr != NULL);
    text = view_of(copy, size);
    as_ws_url(text);
    as_redis_url(text);
    as_addresses(text);
    if (!duration_parse(text, &ms)) ms = 0;
    as_endpoint(cstr);
    as_service_word(cstr);
    as_agent_api(cstr);
    free(cstr);
    free(copy);
    return 0;
}
