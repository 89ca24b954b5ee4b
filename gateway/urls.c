/* See urls.h. */
#include "urls.h"

#include <stdio.h>
#include <string.h>
#include <uv.h>

void urls_public(const struct config *config, const struct listener *public_port,
                 char ret_url[PUBLIC_URL_MAX]) {
    unsigned port = listener_port(public_port);
    if (config->public_url)
        snprintf(ret_url, PUBLIC_URL_MAX, "%s", config->public_url);
    else if (port == 80)
        snprintf(ret_url, PUBLIC_URL_MAX, "http://%s", config->domain);
    else
        snprintf(ret_url, PUBLIC_URL_MAX, "http://%s:%u", config->domain, port);
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
