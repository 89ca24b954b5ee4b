/* See urls.h. */
#include "urls.h"

#include <stdio.h>
#include <string.h>
#include <uv.h>

void urls_public(const struct config *config, const struct entrance *visitors, char ret_url[PUBLIC_URL_MAX]) {
    const char *scheme = visitors->tls ? "https" : "http";
    unsigned port = listener_port(visitors->tls ? visitors->tls : visitors->plain);
    if (config->public_url)
        snprintf(ret_url, PUBLIC_URL_MAX, "%s", config->public_url);
    else if (port == (visitors->tls ? 443 : 80))
        snprintf(ret_url, PUBLIC_URL_MAX, "%s://%s", scheme, config->domain);
    else
        snprintf(ret_url, PUBLIC_URL_MAX, "%s://%s:%u", scheme, config->domain, port);
    size_t len = strlen(ret_url);
    while (len && ret_url[len - 1] == '/') ret_url[--len] = '\0';
}

void urls_peer(const struct config *config, const struct listener *agent_port, char *ret_url, size_t size) {
    const struct listen_address *listen = &config->agent_listen;
    char text[ADDRESS_TEXT_MAX], host[64] = "localhost";
    size_t host_size = sizeof(host);
    bool on_all = strcmp(listen->host, "*") == 0 || strcmp(listen->host, "0.0.0.0") == 0 ||
                  strcmp(listen->host, "::") == 0;
    if (on_all) uv_os_gethostname(host, &host_size);
    listener_text(agent_port, text);
    if (config->peer_url)
        snprintf(ret_url, size, "%s", config->peer_url);
    else if (on_all)
        snprintf(ret_url, size, "ws://%s:%u", host, listener_port(agent_port));
    else
        snprintf(ret_url, size, "ws://%s", text);
}
