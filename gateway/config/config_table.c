/* See config_table.h. */
#include "config/config_table.h"

#include <stddef.h>

#include "base/edits.h"
#include "config/config.h"
#include "config/config_value.h"
#include "doorman/doorman.h"

#define SETTING(name_, variable_, kind_, member, fallback_, help_)                                           \
    .name = (name_), .variable = (variable_), .kind = (kind_), .offset = offsetof(struct config, member),    \
    .fallback = (fallback_), .help = (help_)
#define DO(name_, member, help_) SETTING(name_, NULL, KIND_DO, member, NULL, help_)

const struct setting config_settings[] = {
    {SETTING("public-listen", "PUBLIC_LISTEN", KIND_ADDRESS, public_listen, "loopback:8080",
             "where visitors come"),
     .group = "Ports", .about = "where it listens, who is believed, the administration", .is_usual = true},
    {SETTING("agent-listen", "AGENT_LISTEN", KIND_ADDRESS, agent_listen, "loopback:8081",
             "where agents (ttf) connect"),
     .detail = "Any other address than loopback needs `require-auth` said, true or false.", .is_usual = true},
    {SETTING("admin-listen", "ADMIN_LISTEN", KIND_ADDRESS, admin_listen, "loopback:8082",
             "/healthz, /readyz, and what the program counts"),
     .is_usual = true},
    {SETTING("admin-token", "ADMIN_TOKEN", KIND_TEXT, admin_token, NULL,
             "opens the administration at the admin port"),
     .detail = "At least 16 bytes, as `openssl rand -hex 32` makes them "
               "([Administration](ADMINISTRATION.md)).",
     .only = PROGRAM_GATEWAY, .is_secret = true},
    {SETTING("admin-token-file", "ADMIN_TOKEN_FILE", KIND_TEXT, admin_token_file, NULL,
             "a file that holds the token of the administration"),
     .detail = "A line break at its end does not count.", .only = PROGRAM_GATEWAY, .is_path = true},
    {SETTING("admin-socket", "ADMIN_SOCKET", KIND_TEXT, admin_socket, NULL,
             "a socket in the file system for the administration, without a token"),
     .detail = "Made with mode 0600: only the user that the gateway runs as, and root, can open it. "
               "`ttf-gateway admin` on the same machine uses it.",
     .only = PROGRAM_GATEWAY, .is_path = true, .is_usual = true},
    {SETTING("trusted-proxies", "TRUSTED_PROXIES", KIND_LIST, proxies_text, NULL,
             "networks whose X-Forwarded-* fields are believed"),
     .detail = "As `10.0.0.0/8,fd00::/8`.", .is_usual = true},
    {SETTING("proxy-protocol", "PROXY_PROTOCOL", KIND_BOOL, proxy_protocol, "false",
             "connections of trusted proxies begin with a header of the PROXY protocol"),
     .detail =
         "Version 1 or 2, on the ports of visitors and of agents, before TLS. The client that it names "
         "counts "
         "from then on: it is in the log, and has its share of connections. A trusted proxy that sends none "
         "is cut, and nobody else is asked for one.",
     .only = PROGRAM_GATEWAY},
    {SETTING("pass-fields", "PASS_FIELDS", KIND_LIST, pass_fields, NULL,
             "fields that say who a visitor is, and reach services from anybody"),
     .detail =
         "As `cf-connecting-ip`. Else `Forwarded`, `X-Forwarded-*`, `X-Real-IP`, `True-Client-IP`, "
         "`Client-IP`, "
         "`X-Client-IP`, `X-Cluster-Client-IP`, `CF-Connecting-IP`, `Fastly-Client-IP`, `X-Original-URL`, "
         "`X-Original-Host`, `X-Original-Forwarded-For` and `X-Rewrite-URL` do, but for what the gateway "
         "says itself, "
         "only from trusted proxies. Behind these the visitor is the last address in `X-Forwarded-For` that "
         "is no trusted proxy's: "
         "it is in the log, and his requests at once are counted as connections of an address are.",
     .only = PROGRAM_GATEWAY},

    {SETTING("tls-cert", "TLS_CERT", KIND_LIST, tls_cert, NULL,
             "certificates for TLS of our own: files (PEM), each with its chain"),
     .detail =
         "As `/etc/tls/a.pem,/etc/tls/b.pem` ([TLS](TLS.md)). Browsers and agents are shown the one for the "
         "name that they ask for, else the first. Changed files are read again within seconds, and at "
         "SIGHUP; "
         "what is no good then is told in the log, and the old ones stay.",
     .group = "TLS", .about = "https and wss of its own, certificates by themselves or of agents",
     .only = PROGRAM_GATEWAY, .is_path = true},
    {SETTING("tls-key", "TLS_KEY", KIND_LIST, tls_key, NULL,
             "their private keys: files (PEM), in the same order"),
     .only = PROGRAM_GATEWAY, .is_path = true},
    {SETTING("public-tls-listen", "PUBLIC_TLS_LISTEN", KIND_ADDRESS, public_tls_listen, NULL,
             "where visitors come by https"),
     .detail = "As `:443`. `public-listen` stays, without TLS.", .only = PROGRAM_GATEWAY, .is_usual = true},
    {SETTING("https-redirect", "HTTPS_REDIRECT", KIND_BOOL, https_redirect, "false",
             "send visitors who come by http to the same URL by https (308)"),
     .detail =
         "Needs `public-tls-listen`. Not those of whom a trusted proxy says that they came by https, nor "
         "those of whom it says nothing, nor who looks beneath `/.well-known/acme-challenge/`.",
     .only = PROGRAM_GATEWAY},
    {SETTING("agent-tls-listen", "AGENT_TLS_LISTEN", KIND_ADDRESS, agent_tls_listen, NULL,
             "where agents connect by wss"),
     .detail = "As `:8443`. `agent-listen` stays, without TLS. Any other address than loopback needs "
               "`require-auth` said, true or false.",
     .only = PROGRAM_GATEWAY},

    {SETTING("acme-email", "ACME_EMAIL", KIND_TEXT, acme_email, NULL,
             "certificates come by themselves (ACME), and this address hears of trouble with them"),
     .detail = "Needs `public-tls-listen`, and the authority's port 80 or 443 must lead here "
               "([certificates by themselves](TLS.md#certificates-by-themselves)).",
     .only = PROGRAM_GATEWAY, .is_usual = true},
    {SETTING("acme-agree", "ACME_AGREE", KIND_BOOL, acme_agree, "false",
             "you agree to the terms of service of the authority"),
     .detail = "Let's Encrypt has them at <https://letsencrypt.org/repository/>.", .only = PROGRAM_GATEWAY,
     .is_usual = true},
    {SETTING("acme-directory", "ACME_DIRECTORY", KIND_TEXT, acme_directory,
             "https://acme-v02.api.letsencrypt.org/directory", "the authority that certificates come from"),
     .detail = "For trying things out `https://acme-staging-v02.api.letsencrypt.org/directory`, whose "
               "certificates no browser takes, and which does not count failures as strictly.",
     .only = PROGRAM_GATEWAY},
    {SETTING("acme-dns-hook", "ACME_DNS_HOOK", KIND_TEXT, acme_dns_hook, NULL,
             "a program that puts records into DNS, for a certificate of all subdomains"),
     .detail =
         "Started as `PROGRAM set _acme-challenge.<domain> <value>`, and with `clear` when the record is "
         "not needed any more. It ends when the record can be seen, within 5 minutes, with 0. It gets "
         "`PATH`, `HOME`, `LANG`, `TMPDIR` and what begins with `ACME_DNS_` of the environment, and "
         "lives in the gateway's [sandbox](SECURITY.md).",
     .only = PROGRAM_GATEWAY, .is_path = true},

    {SETTING("agent-client-ca", "AGENT_CLIENT_CA", KIND_TEXT, agent_client_ca, NULL,
             "a file of authorities (PEM) whose certificates agents may show instead of a token"),
     .detail = "At `agent-tls-listen` ([mutual TLS](TLS.md#certificates-of-agents)). Needs `require-auth`; "
               "then no key for tokens is needed.",
     .only = PROGRAM_GATEWAY, .is_path = true},
    {SETTING("agent-client-crl", "AGENT_CLIENT_CRL", KIND_TEXT, agent_client_crl, NULL,
             "a file of lists of revoked certificates (CRL, PEM), one of each authority"),
     .detail =
         "Needs `agent-client-ca`. A changed file is read again within seconds, and at SIGHUP; agents whose "
         "certificate is revoked are disconnected then. A list whose time is over lets nobody in.",
     .only = PROGRAM_GATEWAY, .is_path = true},

    {SETTING("domain", "DOMAIN_NAME", KIND_TEXT, domain, "localhost", "tunnels are its subdomains"),
     .group = "Names and URLs", .about = "domain, public URL, subdomains and paths", .is_usual = true},
    {SETTING("public-url", "PUBLIC_URL", KIND_TEXT, public_url, NULL,
             "what the URLs shown to people begin with"),
     .detail = "Without it `http://<domain>:<public port>`, or `https://` and the port of "
               "`public-tls-listen`. Behind a proxy that does TLS it is `https://<domain>`.",
     .is_usual = true},
    {SETTING("names", "OTHER_NAMES", KIND_LIST, names, NULL,
             "further host names of the gateway, for URLs with the tunnel in the path"),
     .detail = "As `dev.example.org,localhost`: without a scheme or a port."},
    {SETTING("custom-domains", "CUSTOM_DOMAINS", KIND_BOOL, custom_domains, "false",
             "agents may bring domains of theirs (ttf --domain)"),
     .detail = "Needs `require-auth`. Those that their token names (claim `domains`), or DNS says to be "
               "theirs ([domains of your "
               "own](DOMAINS.md)).",
     .only = PROGRAM_GATEWAY},
    {SETTING("dns-servers", "DNS_SERVERS", KIND_TEXT, dns_servers, NULL,
             "name servers that are asked whose a domain is"),
     .detail = "As `10.0.0.2:53,10.0.0.3`. Without it the system's (`/etc/resolv.conf`, read at the start).",
     .only = PROGRAM_GATEWAY},
    {SETTING("routing", "ROUTING", KIND_TEXT, routing, "both",
             "how tunnels are reached: subdomain, path or both"),
     .detail = "`subdomain`: as `<tunnel>.<domain>`. `path`: as `<domain>/<tunnel>/`, also by an IP address "
               "and the other names; tunnels share one origin then (README, Path mode)."},
    {SETTING("enable-subdomain-routing", "ENABLE_SUBDOMAIN_ROUTING", KIND_BOOL, subdomain_routing, "true",
             "the older way to say `routing`: true is both, false is path")},

    {SETTING("require-auth", "REQUIRE_AUTH", KIND_ANSWER, require_auth, NULL,
             "must agents show a token? true or false"),
     .detail =
         "True needs `jwt-secret`, `jwt-secret-file`, `jwks`, `jwks-path` or `jwks-url`. False lets whoever "
         "reaches the agent port open "
         "tunnels. Unsaid is false where agents can come from this machine only.",
     .group = "Agents", .about = "who may open tunnels, tokens and their keys", .is_usual = true},
    {SETTING("jwt-secret", "JWT_SECRET", KIND_TEXT, jwt_secret, NULL,
             "verifies agents' tokens: JSON Web Tokens signed with HS256"),
     .detail = "At least 32 bytes. `ttf-gateway token --sub NAME --ttl 30d` prints such a token.",
     .is_secret = true},
    {SETTING("jwt-secret-file", "JWT_SECRET_FILE", KIND_TEXT, jwt_secret_file, NULL,
             "a file that holds the secret of agents' tokens"),
     .detail = "A line break at its end does not count.", .is_path = true, .is_usual = true},
    {SETTING("jwt-older-secret", "JWT_OLDER_SECRET", KIND_TEXT, jwt_older_secret, NULL,
             "verifies tokens that were made before the secret was replaced"),
     .detail =
         "While a secret is replaced: the new one becomes `jwt-secret`, the old one this, until the last "
         "token made with it has ended.",
     .is_secret = true},
    {SETTING("jwt-older-secret-files", "JWT_OLDER_SECRET_FILES", KIND_LIST, jwt_older_files, NULL,
             "files that hold such secrets"),
     .detail = "As `secret.1,secret.2`; up to 3.", .only = PROGRAM_GATEWAY},
    {SETTING("jwks", "JWKS", KIND_TEXT, jwks, NULL, "verifies agents' tokens: a JSON Web Key Set, as text"),
     .detail =
         "Keys of RSA (RS256, RS384, RS512, PS256, PS384, PS512; 2048 bits or more), EC (ES256, ES384, "
         "ES512), "
         "OKP (EdDSA) and `oct` (HS256, HS384, HS512); others, and those for encryption, are passed over. A "
         "token names its key (`kid`); "
         "without a name up to 4 keys for its algorithm are tried. Beside a secret HS256 is the secret's. A "
         "set with `oct` keys is itself a secret: others can read command lines."},
    {SETTING("jwks-path", "JWKS_PATH", KIND_TEXT, jwks_path, NULL, "a file that holds the JSON Web Key Set"),
     .detail =
         "Looked at each second: a new set counts for agents that connect from then on. One that is no good "
         "is told in the log, and the old keys stay.",
     .is_path = true},
    {SETTING("jwks-url", "JWKS_URL", KIND_TEXT, jwks_url, NULL,
             "where the issuer of agents' tokens has its JSON Web Key Set"),
     .detail =
         "As `https://login.example.com/.well-known/jwks.json`; https alone, redirects are not followed. "
         "Asked "
         "at the start, every 10 minutes, and for a key that is not known, at most once a minute; agents are "
         "told to try again meanwhile. While the issuer does not answer, the keys of before stay. It needs "
         "`jwt-audience`. The function of AWS asks when it needs keys, and waits for them ([AWS](AWS.md))."},
    {SETTING("jwt-audience", "JWT_AUDIENCE", KIND_TEXT, jwt_audience, NULL,
             "what the aud of agents' tokens must name"),
     .detail = "Without it `aud` is not looked at."},
    {SETTING("jwt-issuer", "JWT_ISSUER", KIND_TEXT, jwt_issuer, NULL,
             "what the iss of agents' tokens must be"),
     .detail = "Without it `iss` is not looked at."},
    {SETTING("enforce-exp", "ENFORCE_EXP", KIND_BOOL, enforce_exp, "true",
             "a tunnel ends when the token that it was opened with does (exp)"),
     .detail =
         "The agent is told a reason, `token_expired`; requests under way have 30 s more. `ttf` reads a "
         "token file, or asks a token command, before that, and moves to a fresh connection. False: a "
         "token is looked at when an agent connects, and not again. Needs `require-auth`."},
    {SETTING("allowed-names", "ALLOWED_NAMES", KIND_LIST, allowed_names, NULL,
             "names that agents may claim though people take them for the gateway's own"),
     .detail = "As `api,xn--bcher-kva`. Else `www`, `admin`, `api`, `localhost` and what begins with `xn--` "
               "are refused with 403."},
    {SETTING("allowed-origins", "ALLOWED_ORIGINS", KIND_LIST, allowed_origins, NULL,
             "web origins that may connect as agents"),
     .detail =
         "As `https://app.example.com`: agents in browsers, whose requests name the page that they are of.",
     .only = PROGRAM_GATEWAY},
    {SETTING("agent-protocols", "AGENT_PROTOCOLS", KIND_LIST, agent_protocols, "v2,v1",
             "spoken with agents; v1 limits bodies and streams nothing"),
     .only = PROGRAM_GATEWAY},
    {SETTING("agent-ping-interval", "AGENT_PING_INTERVAL", KIND_DURATION, agent_ping_interval_ms, "7s",
             "an agent silent for two of them is gone"),
     .only = PROGRAM_GATEWAY},
    {SETTING("agent-link-requests", "AGENT_LINK_REQUESTS", KIND_SIZE, agent_link_requests, "536870912",
             "requests after which an agent's link is replaced by a fresh one"),
     .detail = "Of protocol v2, whose numbers for requests end at twice as many. `ttf` connects again, and "
               "the old link ends when all that it carries is answered.",
     .only = PROGRAM_GATEWAY},
    {SETTING("offline-keep", "OFFLINE_KEEP", KIND_DURATION, offline_keep_ms, "5m",
             "how long a tunnel keeps its name without an agent"),
     .detail = "Of agents without a token; an authenticated subject keeps a name for 24 hours."},

    {SETTING("first-visit-page", "FIRST_VISIT_PAGE", KIND_BOOL, first_visit_page, "false",
             "tell browsers first that this is somebody's tunnel, where its owner has shown no token"),
     .detail =
         "A page with a button, once in 30 days for each tunnel and browser ([who may visit](VISITORS.md)). "
         "Programs pass, and whoever sends the field `x-tunnel-skip-page`. Use it with `routing` subdomain: "
         "with "
         "path alone it is refused.",
     .group = "Visitors", .about = "who may come in, and who decides that", .only = PROGRAM_GATEWAY},
    {SETTING("visitor-policy", "VISITOR_POLICY", KIND_TEXT, visitor_policy, NULL,
             "rules for the visitors of all tunnels"),
     .detail =
         "As `allow-ip=10.0.0.0/8; methods=GET,HEAD` ([who may visit](VISITORS.md)). They hold beside those "
         "that a tunnel's owner sets, who cannot loosen them.",
     .only = PROGRAM_GATEWAY},
    {SETTING("forward-auth", "FORWARD_AUTH", KIND_TEXT, forward_auth, NULL,
             "an URL that is asked whether a visitor may come in, as oauth2-proxy and Authelia offer it"),
     .detail =
         "For all tunnels, beside their own rules ([a login of your own](VISITORS.md#a-login-of-your-own)). "
         "2xx lets in; 401, 403 and redirects go to the visitor; with anything else, or without an answer, "
         "nobody comes in.",
     .only = PROGRAM_GATEWAY},
    {SETTING("forward-auth-headers", "FORWARD_AUTH_HEADERS", KIND_LIST, forward_auth_headers,
             DOOR_FIELDS_DEFAULT, "fields of its answer that services get, and that no visitor can say"),
     .only = PROGRAM_GATEWAY},
    {SETTING("forward-auth-cookies", "FORWARD_AUTH_COOKIES", KIND_LIST, forward_auth_cookies,
             DOOR_COOKIES_DEFAULT, "how the names of its cookies begin, which services never see"),
     .only = PROGRAM_GATEWAY},
    {SETTING("forward-auth-timeout", "FORWARD_AUTH_TIMEOUT", KIND_DURATION, forward_auth_timeout_ms, "5s",
             "how long it may take to answer"),
     .only = PROGRAM_GATEWAY},
    {SETTING("forward-auth-cache", "FORWARD_AUTH_CACHE", KIND_DURATION, forward_auth_cache_ms, "5s",
             "how long a visitor who was let in is not asked for again"),
     .detail = "At most an hour; 0: each request is asked for. Who logs out stays in for so long.",
     .only = PROGRAM_GATEWAY},
    {SETTING("forward-auth-per-url", "FORWARD_AUTH_PER_URL", KIND_BOOL, forward_auth_per_url, "true",
             "its answer counts for the same URL alone"),
     .detail =
         "False where all pages of a host have the same visitors: then one answer serves for all of them.",
     .only = PROGRAM_GATEWAY},

    {SETTING("store", "STORE_URL", KIND_TEXT, store_url, "memory",
             "who holds which tunnel: memory, or redis://… for several gateways"),
     .detail =
         "`redis://[[user]:password@]host[:port][/database]`, `rediss://…` (TLS, where hiredis has it), or "
         "`redis+unix://[[user]:password@]/path[?db=N]`; percent-encode what is odd in a password. A "
         "password belongs in the variable or the file: others can read command lines.",
     .group = "State", .about = "what survives a restart, and what several gateways share",
     .only = PROGRAM_GATEWAY, .is_usual = true},
    {SETTING("peer-url", "PEER_URL", KIND_TEXT, peer_url, NULL,
             "where other gateways reach this one, and its name among them"),
     .detail = "`ws://host:port` of its agent port as they see it, or `wss://…` of a proxy before it that "
               "ends TLS. "
               "Without it `ws://` and the agent listener's "
               "address, or this machine's name where that listens on all addresses.",
     .only = PROGRAM_GATEWAY},
    {SETTING("lease", "LEASE", KIND_DURATION, lease_ms, "5s",
             "a gateway not heard of for so long is dead to the others"),
     .detail = "1s to 10m; in a shared store. It is renewed thrice within it.", .only = PROGRAM_GATEWAY},
    {SETTING("state-dir", "STATE_DIRECTORY", KIND_TEXT, state_dir, NULL,
             "where the secret is kept that the gateway makes itself"),
     .detail = "Without it `$XDG_STATE_HOME/ttf-gateway` or `~/.local/state/ttf-gateway`.",
     .only = PROGRAM_GATEWAY, .is_path = true, .is_usual = true},
    {SETTING("tunnel-secret", "TUNNEL_SECRET", KIND_TEXT, secret, NULL,
             "signs resume tokens, by which tunnels keep their URLs, and proves gateways to each other"),
     .detail = "At least 16 bytes. Without one the gateway makes one and keeps it in the state directory, or "
               "in Redis.",
     .is_secret = true},
    {SETTING("tunnel-secret-file", "TUNNEL_SECRET_FILE", KIND_TEXT, secret_file, NULL,
             "a file that holds the tunnel secret"),
     .is_path = true},

    {SETTING("request-timeout", "REQUEST_TIMEOUT", KIND_DURATION, request_timeout_ms, "60s",
             "how long a local service may take to begin its answer"),
     .detail =
         "`ttf --request-timeout` says it for its own tunnel, up to an hour at gateways. On AWS API Gateway "
         "waits for 30 s, and no longer.",
     .fallback_apigw = "25s", .group = "Times", .about = "timeouts, and how long going down takes"},
    {SETTING("body-idle-timeout", "BODY_IDLE_TIMEOUT", KIND_DURATION, body_idle_timeout_ms, "300s",
             "silence within a body"),
     .only = PROGRAM_GATEWAY},
    {SETTING("grace", "RECONNECT_GRACE", KIND_DURATION, grace_ms, "5s",
             "how long a request waits for an agent that has just gone")},
    {SETTING("header-timeout", "HEADER_TIMEOUT", KIND_DURATION, header_timeout_ms, "10s",
             "for the whole head of a request"),
     .only = PROGRAM_GATEWAY},
    {SETTING("keepalive-timeout", "KEEPALIVE_TIMEOUT", KIND_DURATION, keepalive_timeout_ms, "60s",
             "idle time of a visitor's connection between requests"),
     .only = PROGRAM_GATEWAY},
    {SETTING("drain-delay", "DRAIN_DELAY", KIND_DURATION, drain_delay_ms, "5s",
             "how long /readyz says 503 before a gateway that stops accepts nobody any more"),
     .detail = "So long a balancer has to notice; make it longer than its health checks take (HAProxy's: 6 "
               "s, if nothing else is said). Left out when nobody "
               "has asked for `/readyz` in the last minute. 0: none.",
     .only = PROGRAM_GATEWAY},
    {SETTING("drain-timeout", "DRAIN_TIMEOUT", KIND_DURATION, drain_timeout_ms, "30s",
             "how long requests may finish when stopping, after the delay"),
     .detail = "Whatever supervises the gateway has to wait longer than both before it kills: Docker's "
               "`stop_grace_period` is 10 s "
               "unless said, systemd's `TimeoutStopSec` 90 s."},

    {SETTING("max-body", "MAX_BODY", KIND_SIZE, body_bytes, "2MiB",
             "largest body of a request or an answer with an agent of v1"),
     .group = "Bounds", .about = "how large and how many: heads, bodies, connections, memory",
     .only = PROGRAM_GATEWAY},
    {SETTING("max-request-head", "MAX_REQUEST_HEAD", KIND_SIZE, request_head_bytes, "64KiB",
             "largest head of a request: its URL and all fields"),
     .detail = "8KiB to 192KiB; one field, and the URL, have less than 64 KiB whatever this says. Beyond it "
               "visitors get 414 "
               "`uri_too_long` or 431 `headers_too_large`. Agents of v1 take 64 KiB, of which the path is "
               "2048 bytes and a value "
               "8192; beyond that it is the same errors.",
     .only = PROGRAM_GATEWAY},
    {SETTING("max-answer-head", "MAX_ANSWER_HEAD", KIND_SIZE, answer_head_bytes, "128KiB",
             "largest head of an answer: all its fields"),
     .detail = "8KiB to 192KiB. Beyond it visitors get 502 `bad_response`, and `ttf` and the log say why. "
               "From agents of v1 64 KiB, "
               "and 8192 bytes a value.",
     .only = PROGRAM_GATEWAY},
    {SETTING("max-connections", "MAX_CONNECTIONS", KIND_SIZE, max_connections, "16384",
             "visitors, and agents, at once"),
     .detail = "When all are there, `ttf-gateway` ends one that carries no request for one that comes: that "
               "which was idle for the "
               "longest time."},
    {SETTING("max-connections-per-address", "MAX_CONNECTIONS_PER_ADDRESS", KIND_SIZE,
             max_connections_per_address, "1024", "except loopback and trusted proxies"),
     .detail = "An IPv6 network of 64 bits counts as one address. Behind a trusted proxy it is the requests "
               "at once, "
               "and the agents, of the address that the proxy names."},
    {SETTING("connection-rate-per-address", "CONNECTION_RATE_PER_ADDRESS", KIND_SIZE, connection_rate, "256",
             "new connections a second of one address, 0: any"),
     .detail = "At the public port and at the agent port, each by itself; as many may come at once as in a "
               "second, and "
               "the others are closed. Except loopback and trusted proxies; of agents behind these the "
               "address that "
               "the proxy names counts.",
     .only = PROGRAM_GATEWAY},
    {SETTING("max-requests-per-tunnel", "MAX_REQUESTS_PER_TUNNEL", KIND_SIZE, tunnel_requests, "1024",
             "requests at once of each tunnel"),
     .detail = "1 to 4096; beyond it visitors get 503 `overloaded`. WebSockets, event streams and what has "
               "waited 5 s for the "
               "first byte of its answer (long polls) are not among them: of these there may be 4096.",
     .only = PROGRAM_GATEWAY},
    {SETTING("memory-limit", "MEMORY_LIMIT", KIND_SIZE, memory_limit_bytes, "0",
             "memory that the process may hold; 0: three quarters of the container's, or the machine's"),
     .detail = "At 80 % new requests get 503 `overloaded`; at 95 % the visitors who have most of their "
               "answers unread are "
               "cut, too.",
     .only = PROGRAM_GATEWAY},
    {SETTING("tunnels-per-subject", "TUNNELS_PER_SUBJECT", KIND_SIZE, subject_tunnels, "5000",
             "new tunnels a day of one token's subject, 0: any"),
     .detail = "Names and ids that were not there; as many may come at once as in a day, beyond that agents "
               "get 429. One "
               "that comes back to its tunnel begins none. Counted by each gateway.",
     .only = PROGRAM_GATEWAY},
    {SETTING("visitor-share", "VISITOR_SHARE", KIND_SIZE, visitor_share, "50",
             "percent of a tunnel's requests at once that one visitor may have when few are left"),
     .detail = "Once three quarters of `max-requests-per-tunnel` (or of the long ones) are under way, an "
               "address, or an "
               "IPv6 network of 64 bits, that has its share gets 503 `overloaded`. When all are, the request "
               "that has "
               "stalled for the longest time, 5 s at least, is ended for a new one. Loopback, and a trusted "
               "proxy that "
               "names no visitor, are exempt. 0: no share.",
     .only = PROGRAM_GATEWAY},
    {SETTING("min-rate", "MIN_RATE", KIND_SIZE, min_rate, "100",
             "bytes a second that a visitor sends of a body, or reads of an answer, at least; 0: any"),
     .detail = "The average of `min-rate-grace`, counted while the gateway waits for him and for nobody "
               "else. Then a body "
               "gets 408 `request_timeout`, an answer is cut. Not of event streams and upgraded connections.",
     .only = PROGRAM_GATEWAY},
    {SETTING("min-rate-grace", "MIN_RATE_GRACE", KIND_DURATION, min_rate_grace_ms, "60s",
             "the time over which that rate is an average, and how long a visitor may pause"),
     .only = PROGRAM_GATEWAY},
    {SETTING("per-tunnel-rate-limit", "PER_TUNNEL_RATE_LIMIT", KIND_SIZE, tunnel_rate, "0",
             "requests a second of each tunnel, 0: any"),
     .detail = "As many may come at once as in a second; beyond that visitors get 429 `rate_limited` with "
               "`Retry-After`, and "
               "the agent gets nothing. Counted by the gateway that holds the agent; for agents of v1 by "
               "each gateway "
               "for the visitors that come to it."},
    {SETTING("per-tunnel-bandwidth", "PER_TUNNEL_BANDWIDTH", KIND_SIZE, tunnel_bandwidth, "0",
             "bytes a second of each tunnel's bodies, both ways, 0: any"),
     .detail =
         "Bodies and WebSockets slow down; while a tunnel is more than two seconds behind, new requests "
         "get 429 ([quotas](QUOTAS.md)).",
     .group = "Quotas", .about = "what each tunnel, owner and visitor may have", .only = PROGRAM_GATEWAY},
    {SETTING("per-owner-bandwidth", "PER_OWNER_BANDWIDTH", KIND_SIZE, owner_bandwidth, "0",
             "the same of all tunnels of one owner together"),
     .detail = "A token's `max_bandwidth` comes before it.", .only = PROGRAM_GATEWAY},
    {SETTING("per-owner-rate-limit", "PER_OWNER_RATE_LIMIT", KIND_SIZE, owner_rate, "0",
             "requests a second of all tunnels of one owner together, 0: any"),
     .detail = "Counted like `per-tunnel-rate-limit`. A token's `max_rate` comes before it.",
     .only = PROGRAM_GATEWAY},
    {SETTING("max-requests-per-owner", "MAX_REQUESTS_PER_OWNER", KIND_SIZE, owner_requests, "0",
             "requests and WebSockets at once of all tunnels of one owner, 0: any"),
     .detail = "A token's `max_connections` comes before it.", .only = PROGRAM_GATEWAY},
    {SETTING("max-tunnels-per-owner", "MAX_TUNNELS_PER_OWNER", KIND_SIZE, owner_tunnels, "5000",
             "tunnels at once of one token's subject, 0: any"),
     .detail =
         "Beyond it agents get 429 and try again. A token's `max_tunnels` comes before it. Each gateway "
         "counts its own.",
     .only = PROGRAM_GATEWAY},
    {SETTING("connects-per-owner", "CONNECTS_PER_OWNER", KIND_SIZE, owner_connects, "6000",
             "times a minute that agents with one token's subject may connect, 0: any"),
     .detail = "As many may come at once as in a minute.", .only = PROGRAM_GATEWAY},
    {SETTING("per-visitor-rate-limit", "PER_VISITOR_RATE_LIMIT", KIND_SIZE, visitor_rate, "0",
             "requests a second of one visitor's address, 0: any"),
     .detail =
         "Of an IPv6 network of 64 bits; behind trusted proxies of the address that they name. Loopback "
         "is exempt.",
     .only = PROGRAM_GATEWAY},

    {SETTING("backend", "BACKEND", KIND_TEXT, backend, "gateway", "gateway; the stand-in is ttf-apigw now"),
     .only = PROGRAM_GATEWAY, .is_hidden = true},
    {SETTING("bootstrap", "BOOTSTRAP", KIND_TEXT, bootstrap, NULL,
             "the function: a program with a custom runtime of Lambda"),
     .detail = "It has our environment variables, and those that AWS would set. SIGHUP: a new version stands "
               "there.",
     .group = "API Gateway and Lambda",
     .about = "the function, the API in front of it, the stream of a table", .only = PROGRAM_APIGW,
     .is_path = true, .is_usual = true},
    {SETTING("description", "API_DESCRIPTION", KIND_TEXT, description, NULL,
             "a deployment to stand in for: what infra/ would make, as JSON"),
     .detail =
         "`infra/test` writes such files. It says stage, domains or none, payload, limits, the function and "
         "its "
         "variables, the stream's mapping and the schedule; a setting that says something else is refused. "
         "Names and ports are this machine's, and so is where DynamoDB is. The function has the variables "
         "that stand there, and of ours only those that begin with `AWS_` and what programs need to run.",
     .only = PROGRAM_APIGW, .is_path = true},
    {SETTING("api-custom-domain", "API_CUSTOM_DOMAIN", KIND_BOOL, api_custom_domain, "true",
             "the APIs have `domain` as custom domain"),
     .detail =
         "False: they have names of their own under `execute-api.<domain>`, and paths begin with the stage.",
     .only = PROGRAM_APIGW},
    {SETTING("api-stage", "API_STAGE", KIND_TEXT, api_stage, "$default", "the APIs' stage"),
     .only = PROGRAM_APIGW},
    {SETTING("api-payload", "API_PAYLOAD", KIND_TEXT, api_payload, "2.0",
             "format of visitors' events: 2.0 or 1.0"),
     .only = PROGRAM_APIGW},
    {SETTING("api-rate", "API_RATE", KIND_SIZE, api_rate, "10000",
             "requests, messages and @connections calls a second, 0: any"),
     .only = PROGRAM_APIGW},
    {SETTING("api-burst", "API_BURST", KIND_SIZE, api_burst, "5000", "requests at once, beyond the rate"),
     .only = PROGRAM_APIGW},
    {SETTING("api-timeout", "API_TIMEOUT", KIND_DURATION, api_timeout_ms, "30s",
             "how long the function is waited for; agents' events 29s at most"),
     .only = PROGRAM_APIGW},
    {SETTING("lambda-concurrency", "LAMBDA_CONCURRENCY", KIND_SIZE, lambda_concurrency, "100",
             "processes of the function at once"),
     .only = PROGRAM_APIGW},
    {SETTING("lambda-memory", "LAMBDA_MEMORY", KIND_SIZE, lambda_memory_bytes, "256MiB",
             "memory that is billed; no bound"),
     .only = PROGRAM_APIGW},
    {SETTING("lambda-timeout", "LAMBDA_TIMEOUT", KIND_DURATION, lambda_timeout_ms, "30s",
             "how long an event may take before the process is killed"),
     .only = PROGRAM_APIGW},
    {SETTING("lambda-idle", "LAMBDA_IDLE", KIND_DURATION, lambda_idle_ms, "5m",
             "how long a process without an event is kept"),
     .only = PROGRAM_APIGW},
    {SETTING("dynamodb-endpoint", "AWS_ENDPOINT_URL_DYNAMODB", KIND_TEXT, dynamodb_endpoint, NULL,
             "DynamoDB Local, for the function and the stream"),
     .only = PROGRAM_APIGW, .is_usual = true},
    {SETTING("dynamodb-latency", "DYNAMODB_LATENCY", KIND_DURATION, dynamodb_latency_ms, "0",
             "no call of the function to it takes less"),
     .only = PROGRAM_APIGW},
    {SETTING("stream-table", "STREAM_TABLE", KIND_TEXT, stream_table, NULL,
             "the table whose stream invokes the function"),
     .only = PROGRAM_APIGW},
    {SETTING("stream-filter", "STREAM_FILTER", KIND_TEXT, stream_filter,
             "{\"dynamodb\":{\"NewImage\":{\"status\":{\"S\":[\"completed\"]}}}}",
             "the mapping's filter: an event pattern"),
     .only = PROGRAM_APIGW},
    {SETTING("stream-batch", "STREAM_BATCH", KIND_SIZE, stream_batch, "100",
             "records that the function gets at once, at most"),
     .only = PROGRAM_APIGW},
    {SETTING("stream-retries", "STREAM_RETRIES", KIND_SIZE, stream_retries, "10000",
             "how often a batch that fails is tried again before it is dropped"),
     .detail = "MaximumRetryAttempts of the mapping, whose default is any number.", .only = PROGRAM_APIGW},
    {SETTING("stream-max-age", "STREAM_MAX_AGE", KIND_DURATION, stream_max_age_ms, "24h",
             "records older than that are dropped"),
     .detail = "MaximumRecordAgeInSeconds of the mapping; a stream keeps its records for 24 hours.",
     .only = PROGRAM_APIGW},
    {SETTING("stream-bisect", "STREAM_BISECT", KIND_BOOL, stream_bisect, "false",
             "a batch that fails is tried again in halves"),
     .detail = "BisectBatchOnFunctionError of the mapping.", .only = PROGRAM_APIGW},
    {SETTING("stream-report-failures", "STREAM_REPORT_FAILURES", KIND_BOOL, stream_report_failures, "false",
             "`batchItemFailures` of the function's answer count"),
     .detail = "ReportBatchItemFailures among the mapping's FunctionResponseTypes.", .only = PROGRAM_APIGW},
    {SETTING("cleanup-interval", "CLEANUP_INTERVAL", KIND_DURATION, cleanup_interval_ms, "1h",
             "of the schedule that lets the function clean up"),
     .only = PROGRAM_APIGW},
    {SETTING("aws-idle", "AWS_IDLE", KIND_DURATION, aws_idle_ms, "5s",
             "connections of the function to DynamoDB and @connections that were idle for longer are cut"),
     .detail = "When the next request comes on one, as a process finds it that was frozen; 0: never.",
     .only = PROGRAM_APIGW},
    {SETTING("websocket-url", "WEBSOCKET_URL", KIND_TEXT, websocket_url, NULL,
             "what the function is told to be the WebSocket API (`WEBSOCKET_API_ENDPOINT`)"),
     .detail =
         "Without it `ws://127.0.0.1:<agent port>` with the stage. A function that knows `wss://` alone "
         "needs a proxy that does TLS before that port, and its URL here.",
     .only = PROGRAM_APIGW},
    {SETTING("ws-idle", "WS_IDLE", KIND_DURATION, ws_idle_ms, "10m",
             "silence after which a WebSocket is closed"),
     .only = PROGRAM_APIGW},
    {SETTING("ws-life", "WS_LIFE", KIND_DURATION, ws_life_ms, "2h", "age at which a WebSocket is closed"),
     .only = PROGRAM_APIGW},

    {SETTING("log-level", "LOG_LEVEL", KIND_LEVEL, log_level, "info", "error, warn, info or debug"),
     .group = "Operation", .about = "logs, sandbox, request ids, the config file"},
    {SETTING("sandbox", "SANDBOX", KIND_TEXT, sandbox_how, "auto",
             "auto: give up what the gateway does not need once it has started; off: do not"),
     .detail =
         "What the kernel offers of it: system calls that change the machine, look into other programs or "
         "make namespaces are refused, files are written in the folders of `state-dir`, `access-log` and "
         "`admin-socket` alone, and there are no core dumps. A program that takes over (SIGUSR2) has it "
         "from its predecessor: new folders want a restart.",
     .only = PROGRAM_GATEWAY},
    {SETTING("access-log-format", "ACCESS_LOG_FORMAT", KIND_TEXT, access_log_format, "text",
             "of the line for each request: text, combined, json or off"),
     .detail =
         "`text` is a line of the log, at level `info`. `combined` is Apache's, with the tunnel's owner for "
         "the user. `json` is an object a line ([Deployment](DEPLOYMENT.md#logs)).",
     .only = PROGRAM_GATEWAY},
    {SETTING("access-log", "ACCESS_LOG", KIND_TEXT, access_log, "stderr",
             "where those lines go: stderr, syslog (or journald), or a file"),
     .detail =
         "A file is made with mode 0640 and opened anew when it has been moved (logrotate), and at SIGHUP. "
         "Lines that cannot be written are dropped and counted, and stop nothing. It needs `combined` or "
         "`json`.",
     .only = PROGRAM_GATEWAY, .is_path = true},
    {SETTING("access-log-query", "ACCESS_LOG_QUERY", KIND_BOOL, access_log_query, "false",
             "`combined` and `json` show the query of URLs, with what looks like a secret hidden"),
     .only = PROGRAM_GATEWAY},
    {SETTING("metrics-tunnels", "METRICS_TUNNELS", KIND_SIZE, metrics_tunnels, "0",
             "so many tunnels have metrics of their own, those used last; 0: none"),
     .detail = "At most 2000; the others are counted together, as `_other` ([Metrics](METRICS.md)).",
     .only = PROGRAM_GATEWAY},
    {SETTING("request-ids", "REQUEST_IDS", KIND_BOOL, request_ids, "true",
             "each request has an x-request-id, in the log, for the service and in the answer"),
     .detail =
         "That of a trusted proxy, if it is 1 to 128 letters, digits and `._:+/=@~-`; else a fresh one. A "
         "service that answers with one of its own keeps that.",
     .only = PROGRAM_GATEWAY},
    {SETTING("make-traceparent", "MAKE_TRACEPARENT", KIND_BOOL, make_traceparent, "false",
             "requests without a traceparent (W3C Trace Context) get one"),
     .detail = "With the flag that asks for being sampled. `traceparent` and `tracestate` of visitors pass "
               "untouched; one that is malformed is replaced.",
     .only = PROGRAM_GATEWAY},
    {SETTING("config", "CONFIG_FILE", KIND_TEXT, config_file, NULL, "a YAML file with settings, name: value"),
     .is_path = true, .is_usual = true},
    {DO("health", wants_health, "ask the gateway on this machine whether it is well, by the exit code"),
     .is_usual = true},
    {SETTING("help", NULL, KIND_TOPIC, help, NULL,
             "what is needed most, a group of settings (--help tls), or all"),
     .letter = 'h', .is_usual = true},
    {DO("version", wants_version, "the version, the commit it was built of, its libraries"), .letter = 'V',
     .is_usual = true},
    {DO("help-markdown", wants_markdown, "docs/CONFIGURATION.md"), .is_hidden = true},
    {DO("help-metrics", wants_metrics, "the table of docs/METRICS.md"), .is_hidden = true,
     .only = PROGRAM_GATEWAY},
};

const size_t config_settings_count = sizeof(config_settings) / sizeof(config_settings[0]);
_Static_assert(sizeof(config_settings) / sizeof(config_settings[0]) <= SETTINGS_MAX,
               "the sources of values have this room");

const struct setting_command config_commands[] = {
    {"token", "--sub NAME [--ttl 30d] [--tunnels NAMES] [flags]", "prints a token for an agent",
     PROGRAM_GATEWAY},
    {"admin", "COMMAND [--json] [flags]",
     "looks after the gateways that run; ttf-gateway admin --help lists the commands", PROGRAM_GATEWAY},
    {"print", "bash|zsh|fish|man", "prints completions for shells, or the man page", PROGRAM_BOTH},
};
const size_t config_commands_count = sizeof(config_commands) / sizeof(config_commands[0]);

static enum program chosen = PROGRAM_GATEWAY;

void settings_choose(enum program program) {
    chosen = program;
}

bool settings_are_of(enum program program) {
    return chosen == program;
}

const char *program_name(void) {
    return chosen == PROGRAM_APIGW ? "ttf-apigw" : "ttf-gateway";
}

const char *program_other_name(void) {
    return chosen == PROGRAM_APIGW ? "ttf-gateway" : "ttf-apigw";
}

const char *setting_fallback(const struct setting *setting) {
    return chosen == PROGRAM_APIGW && setting->fallback_apigw ? setting->fallback_apigw : setting->fallback;
}

bool setting_applies(const struct setting *setting) {
    return setting->only == PROGRAM_BOTH || setting->only == chosen;
}

static const struct setting *find(struct view name) {
    for (size_t i = 0; i < config_settings_count; i++)
        if (view_eq(name, view_from_cstr(config_settings[i].name))) return &config_settings[i];
    return NULL;
}

const struct setting *setting_by_name(struct view name) {
    const struct setting *setting = find(name);
    return setting && setting_applies(setting) ? setting : NULL;
}

bool setting_is_of_other(struct view name) {
    const struct setting *setting = find(name);
    return setting && !setting_applies(setting);
}

const struct setting *setting_by_letter(char letter) {
    for (size_t i = 0; i < config_settings_count; i++)
        if (config_settings[i].letter == letter) return letter ? &config_settings[i] : NULL;
    return NULL;
}

const struct setting *setting_nearest(struct view name) {
    const struct setting *nearest = NULL;
    size_t least = name.len < 6 ? name.len / 2 + 1 : 4; /* edits that are still a slip */
    for (size_t i = 0; i < config_settings_count; i++) {
        if (config_settings[i].is_hidden || !setting_applies(&config_settings[i])) continue;
        size_t edits = edit_distance(name, view_from_cstr(config_settings[i].name));
        if (config_settings[i].variable && view_eq_nocase(name, view_from_cstr(config_settings[i].variable)))
            edits = 0;
        if (edits < least) nearest = &config_settings[i], least = edits;
    }
    return nearest;
}

bool setting_is_shown(const struct setting *setting) {
    return setting_applies(setting) && !setting->is_hidden;
}

bool setting_is_flag(const struct setting *setting) {
    return !setting->is_secret;
}

/* The file cannot name another file. */
bool setting_is_in_file(const struct setting *setting) {
    return setting->variable && setting->offset != offsetof(struct config, config_file);
}

bool setting_may_stand_alone(const struct setting *setting) {
    return setting->kind == KIND_BOOL || setting->kind == KIND_ANSWER || setting->kind == KIND_TOPIC ||
           setting->kind == KIND_DO;
}

const char *setting_kind_name(const struct setting *setting) {
    static const char *const names[] = {"TEXT",    "BOOL", "BOOL",  "TIME",  "SIZE",
                                        "ADDRESS", "LIST", "LEVEL", "GROUP", ""};
    return names[setting->kind];
}
