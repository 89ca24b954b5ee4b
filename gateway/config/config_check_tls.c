/* TLS, and certificates that come by themselves. */
#include "config/acme_settings.h"
#include "config/config_check.h"
#include "sockets/certificates.h"

static int check_tls(const struct config *config) {
    const void *has_cert = config->tls_cert.count ? &config->tls_cert : NULL;
    const void *port = config_said(config, &config->public_tls_listen)  ? &config->public_tls_listen
                       : config_said(config, &config->agent_tls_listen) ? &config->agent_tls_listen
                                                                        : NULL;
    if (port && !has_cert && !config->acme_email)
        return config_complain(
            config, port,
            "TLS needs a certificate: name it with --tls-cert and --tls-key, or have it come by "
            "itself with --acme-email");
    if (has_cert && !port)
        return config_complain(
            config, has_cert,
            "no port has TLS: say --public-tls-listen :443, and --agent-tls-listen for agents");
    if (config->tls_cert.count > CERTIFICATES_MAX)
        return config_complain(config, has_cert, "expected 64 certificates at most");
    if (config->tls_cert.count != config->tls_key.count)
        return config_contradict(config, &config->tls_cert, &config->tls_key,
                                 "each certificate needs its key, in the same order");
    if (config->https_redirect && !config_said(config, &config->public_tls_listen))
        return config_complain(config, &config->https_redirect,
                               "there is no https to send visitors to: say --public-tls-listen :443");
    if (config->https_redirect && config->public_url &&
        !view_starts_with(view_from_cstr(config->public_url), VIEW("https://")))
        return config_contradict(config, &config->https_redirect, &config->public_url,
                                 "visitors are sent to https, and shown URLs of http: say https://… there");
    if (config->proxy_protocol && !config->proxies_text.count)
        return config_complain(config, &config->proxy_protocol,
                               "it is believed of trusted proxies alone: name them with --trusted-proxies");
    return 0;
}

static int check_acme(const struct config *config) {
    const void *email = &config->acme_email, *hook = &config->acme_dns_hook, *url = &config->acme_directory;
    const void *alone = config->acme_dns_hook ? hook : config_said(config, url) ? url : NULL;
    const char *fault;
    if (!config->acme_email)
        return alone ? config_complain(config, alone, "it says nothing without --acme-email (ACME_EMAIL)")
                     : 0;
    if ((fault = acme_email_fault(view_from_cstr(config->acme_email))))
        return config_complain(config, email, fault);
    if ((fault = acme_directory_fault(view_from_cstr(config->acme_directory))))
        return config_complain(config, url, fault);
    if ((fault = acme_domain_fault(view_from_cstr(config->domain))))
        return config_complain(config, &config->domain, fault);
    if (config->acme_dns_hook && (fault = acme_hook_fault(config->acme_dns_hook)))
        return config_complain(config, hook, fault);
    if (!config_said(config, &config->public_tls_listen))
        return config_complain(config, email,
                               "no port has TLS: say --public-tls-listen :443 (PUBLIC_TLS_LISTEN)");
    return config->acme_agree
               ? 0
               : config_complain(config, email,
                                 "the authority has terms of service: read them, and say --acme-agree "
                                 "(ACME_AGREE=true)");
}

int config_check_tls(const struct config *config) {
    int code = check_tls(config);
    return code ? code : check_acme(config);
}
