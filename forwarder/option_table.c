/* See option_table.h. */
#include "option_table.h"

#include <assert.h>
#include <stdio.h>

#include "base/edits.h"
#include "base/platform.h"
#include "options.h"

#define MEMBER(name) offsetof(struct options, name)

const struct command_row command_rows[] = {
    {"start", "[NAME...]", "run the tunnels of ttf.yaml, or those of these names", COMMAND_WORDS_MAX, NULL},
    {"login", "GATEWAY", "store a gateway's URL and a token, which is asked for or read from standard input",
     1, NULL},
    {"token", "", "print the token of ttf login --oidc, renewed where it ends soon", 0, NULL},
    {"doctor", "[SERVICE]", "look at each step of the way to the gateway and to the local service", 1, NULL},
    {"service", "install|uninstall|status", "the tunnels of ttf.yaml as a service of the user's systemd", 1,
     NULL},
    {"print", "WHAT",
     "completions (bash, zsh, fish), man pages (man, man-yaml) or the JSON schema of ttf.yaml (schema)", 1,
     NULL},
    {"mcp", "", "tools for coding agents: see, wait for, replay and compare the requests of the running ttf",
     0,
     "Speaks the Model Context Protocol on standard input and output, for a coding agent that starts it. "
     "Its\n"
     "tools are list_tunnels, list_requests, inspect_request, replay_request, compare_requests,\n"
     "wait_for_request, start_tunnel and stop_tunnel. They work on a ttf that runs with its inspector: the\n"
     "first at 127.0.0.1, port 4040 to 4060, or the one that --inspect-url names. Secrets in headers, "
     "queries\n"
     "and JSON are shown as *** unless a call says reveal. It ends with its standard input.\n\n"
     "In the agent's settings of MCP servers:\n"
     "  {\"mcpServers\": {\"ttf\": {\"command\": \"ttf\", \"args\": [\"mcp\"]}}}\n"},
};
const size_t command_rows_count = sizeof(command_rows) / sizeof(command_rows[0]);

const struct option_heading option_headings[OPTION_GROUPS] = {
    [GROUP_SERVICE] = {"Local service", "where it is, what it sees of a request, how long it may take"},
    [GROUP_GATEWAY] = {"Gateway", "the way there, tokens and certificates, logging in"},
    [GROUP_URL] = {"URL", "names and domains, and what is done with the public URL"},
    [GROUP_VISITORS] = {"Visitors", "who may visit the tunnel"},
    [GROUP_INSPECTOR] = {"Inspector", "the page that shows each request"},
    [GROUP_PROGRAM] = {"Program", "config file, what is shown, the sandbox"},
};

const struct option_row option_rows[] = {
    {0, "service", "SERVICE", NULL,
     "where the local service listens: a port, host:port, http(s)://host:port or unix:/path; or a folder "
     "whose "
     "files are to be served: ./public",
     OPTION_SERVICE, PLACE_SECTION, MEMBER(tunnel), 0, 0, GROUP_SERVICE, false},
    {'p', "port", "PORT", NULL, "port of the local service (default: 3000)", OPTION_NUMBER, PLACE_LINE,
     MEMBER(tunnel.port), 1, 65535, GROUP_SERVICE, false},
    {0, "host", "HOST", NULL, "host of the local service (default: localhost, on IPv4 and IPv6)", OPTION_TEXT,
     PLACE_LINE, MEMBER(tunnel.host), 0, 0, GROUP_SERVICE, false},
    {0, "local-https", NULL, NULL, "the local service speaks https (any certificate will do)", OPTION_FLAG,
     PLACE_LINE, MEMBER(tunnel.local_https), 0, 0, GROUP_SERVICE, false},
    {0, "unix", "PATH", NULL, "the local service listens on a unix socket", OPTION_TEXT, PLACE_LINE,
     MEMBER(tunnel.unix_path), 0, 0, GROUP_SERVICE, false},
    {0, "host-header", "HOW", NULL,
     "Host that the service sees: preserve (the visitor's, default), rewrite (its own) or a value",
     OPTION_TEXT, PLACE_TUNNEL, MEMBER(tunnel.host_header), 0, 0, GROUP_SERVICE, true},
    {0, "rewrite", "HOW", NULL,
     "path mode: links in bodies get the prefix: on (default), off, or json (in any JSON too)", OPTION_TEXT,
     PLACE_TUNNEL, MEMBER(tunnel.rewrite), 0, 0, GROUP_SERVICE, false},
    {0, "request-timeout", "SECONDS", NULL,
     "time the local service may take to answer (default: 60, on AWS 25)", OPTION_NUMBER, PLACE_TUNNEL,
     MEMBER(tunnel.request_timeout_s), 1, 3600, GROUP_SERVICE, false},
    {0, "health-check", "PATH", NULL,
     "ask the local service by a GET of this path whether it is well; while it is not, visitors get 503 at "
     "once",
     OPTION_TEXT, PLACE_TUNNEL, MEMBER(tunnel.health_check), 0, 0, GROUP_SERVICE, false},
    {0, "no-hints", NULL, NULL,
     "no hints about refused hosts, and no second try of a refused GET with the service's own host",
     OPTION_FLAG, PLACE_TUNNEL, MEMBER(tunnel.no_hints), 0, 0, GROUP_SERVICE, false},
    {0, "list", NULL, NULL, "the folder that is served shows its files wherever it has no index.html",
     OPTION_FLAG, PLACE_TUNNEL, MEMBER(tunnel.list), 0, 0, GROUP_SERVICE, false},
    {'e', "endpoint", "URL", "TTF_ENDPOINT", "gateway to connect to (default: " OPTIONS_DEFAULT_ENDPOINT ")",
     OPTION_TEXT, PLACE_FILE, MEMBER(endpoint), 0, 0, GROUP_GATEWAY, true},
    {'t', "token", "TOKEN", "TTF_TOKEN", "token that the gateway asks for", OPTION_TEXT, PLACE_LINE,
     MEMBER(token), 0, 0, GROUP_GATEWAY, false},
    {0, "token-file", "FILE", "TTF_TOKEN_FILE", "file that holds the token; read again for each connection",
     OPTION_TEXT, PLACE_FILE, MEMBER(token_file), 0, 0, GROUP_GATEWAY, true},
    {0, "token-command", "COMMAND", "TTF_TOKEN_COMMAND",
     "a command that prints the token on its first line; a shell runs it for each connection, for 30 s at "
     "most",
     OPTION_TEXT, PLACE_FILE, MEMBER(token_command), 0, 0, GROUP_GATEWAY, false},
    {0, "client-cert", "FILE", NULL,
     "certificate that says who you are (PEM, with its chain), for gateways that take one instead of a token",
     OPTION_TEXT, PLACE_FILE, MEMBER(client_cert), 0, 0, GROUP_GATEWAY, false},
    {0, "client-key", "FILE", NULL, "its key (default: the same file)", OPTION_TEXT, PLACE_FILE,
     MEMBER(client_key), 0, 0, GROUP_GATEWAY, false},
    {0, "ca-file", "FILE", NULL, "trust these certificates too (PEM) for wss://", OPTION_TEXT, PLACE_FILE,
     MEMBER(ca_file), 0, 0, GROUP_GATEWAY, false},
    {0, "proxy", "URL", NULL,
     "the way to the gateway: http:// or socks5://[user:password@]host:port, or off (default: HTTPS_PROXY, "
     "HTTP_PROXY, ALL_PROXY, NO_PROXY)",
     OPTION_TEXT, PLACE_FILE, MEMBER(proxy), 0, 0, GROUP_GATEWAY, false},
    {0, "connect-timeout", "SECONDS", NULL, "time to reach the gateway (default: 10)", OPTION_NUMBER,
     PLACE_FILE, MEMBER(connect_timeout_s), 1, 3600, GROUP_GATEWAY, false},
    {0, "oidc", "ISSUER", NULL,
     "of ttf login: get the token from this OpenID provider, which asks who you are in a browser",
     OPTION_TEXT, PLACE_LINE, MEMBER(oidc), 0, 0, GROUP_GATEWAY, false},
    {0, "client-id", "ID", NULL, "of ttf login --oidc: by which the provider knows ttf", OPTION_TEXT,
     PLACE_LINE, MEMBER(client_id), 0, 0, GROUP_GATEWAY, false},
    {0, "oidc-scope", "SCOPES", NULL,
     "of ttf login --oidc: what is asked for (default: openid offline_access)", OPTION_TEXT, PLACE_LINE,
     MEMBER(oidc_scope), 0, 0, GROUP_GATEWAY, false},
    {'n', "name", "NAME", NULL, "name to ask for, the first label of the public URL", OPTION_TEXT,
     PLACE_TUNNEL, MEMBER(tunnel.name), 0, 0, GROUP_URL, true},
    {0, "domain", "DOMAIN", NULL,
     "be reached by a domain of your own, as app.example.com, whose DNS leads to the gateway "
     "(docs/DOMAINS.md)",
     OPTION_TEXT, PLACE_TUNNEL, MEMBER(tunnel.domain), 0, 0, GROUP_URL, false},
    {0, "open", NULL, NULL, "open the public URL in a browser (" PLATFORM_OPENER ")", OPTION_FLAG,
     PLACE_TUNNEL, MEMBER(tunnel.open), 0, 0, GROUP_URL, true},
    {0, "qr", NULL, NULL, "draw the public URL as a QR code, for a phone's camera", OPTION_FLAG, PLACE_LINE,
     MEMBER(qr), 0, 0, GROUP_URL, true},
    {0, "index", NULL, NULL, "search engines may list the tunnel (they may one with --name)", OPTION_FLAG,
     PLACE_TUNNEL, MEMBER(tunnel.index), 0, 0, GROUP_URL, false},
    {0, "basic-auth", "USER:PASSWORD", "TTF_BASIC_AUTH",
     "visitors have to log in (others can read it off the command line)", OPTION_TEXT, PLACE_TUNNEL,
     MEMBER(tunnel.basic_auth), 0, 0, GROUP_VISITORS, false},
    {0, "basic-auth-file", "FILE", NULL, "the same for those in a file, user:password on each line",
     OPTION_TEXT, PLACE_TUNNEL, MEMBER(tunnel.basic_auth_file), 0, 0, GROUP_VISITORS, false},
    {0, "password", "PASSWORD", "TTF_PASSWORD",
     "a page asks visitors for this password (others can read it off the command line)", OPTION_TEXT,
     PLACE_TUNNEL, MEMBER(tunnel.password), 0, 0, GROUP_VISITORS, true},
    {0, "password-file", "FILE", NULL, "the same, and the password is the first line of a file", OPTION_TEXT,
     PLACE_TUNNEL, MEMBER(tunnel.password_file), 0, 0, GROUP_VISITORS, false},
    {0, "share", "TIME", NULL,
     "visitors need a link that ttf prints, which is good for this long, as 30m, 2h or 7d", OPTION_TEXT,
     PLACE_TUNNEL, MEMBER(tunnel.share), 0, 0, GROUP_VISITORS, true},
    {0, "private", NULL, NULL, "visitors need a token of the gateway's issuer, as ttf has one", OPTION_FLAG,
     PLACE_TUNNEL, MEMBER(tunnel.is_private), 0, 0, GROUP_VISITORS, false},
    {0, "allow-ip", "NETWORKS", NULL,
     "visitors from these addresses alone, as 192.0.2.7,10.0.0.0/8,2001:db8::/32", OPTION_TEXT, PLACE_TUNNEL,
     MEMBER(tunnel.allow_ip), 0, 0, GROUP_VISITORS, false},
    {0, "deny-ip", "NETWORKS", NULL, "no visitors from these addresses", OPTION_TEXT, PLACE_TUNNEL,
     MEMBER(tunnel.deny_ip), 0, 0, GROUP_VISITORS, false},
    {0, "methods", "METHODS", NULL, "these methods alone, as GET,HEAD", OPTION_TEXT, PLACE_TUNNEL,
     MEMBER(tunnel.methods), 0, 0, GROUP_VISITORS, false},
    {0, "allow-path", "PATHS", NULL, "these paths and what is below them alone, as /api,/docs", OPTION_TEXT,
     PLACE_TUNNEL, MEMBER(tunnel.allow_path), 0, 0, GROUP_VISITORS, false},
    {0, "deny-path", "PATHS", NULL, "never these paths and what is below them", OPTION_TEXT, PLACE_TUNNEL,
     MEMBER(tunnel.deny_path), 0, 0, GROUP_VISITORS, false},
    {0, "verify-webhook", "SENDER", NULL,
     "only webhooks that are signed, by github, stripe, slack, twilio, shopify or generic-hmac", OPTION_TEXT,
     PLACE_TUNNEL, MEMBER(tunnel.verify_webhook), 0, 0, GROUP_VISITORS, false},
    {0, "webhook-secret", "SECRET", "TTF_WEBHOOK_SECRET",
     "what its sender signs with (others can read it off the command line)", OPTION_TEXT, PLACE_TUNNEL,
     MEMBER(tunnel.webhook_secret), 0, 0, GROUP_VISITORS, false},
    {0, "webhook-secret-file", "FILE", NULL, "the same, the first line of a file", OPTION_TEXT, PLACE_TUNNEL,
     MEMBER(tunnel.webhook_secret_file), 0, 0, GROUP_VISITORS, false},
    {0, "inspect", "ADDRESS", "TTF_INSPECT",
     "where the inspector is, a page that shows each request, repeats it, and has an API for programs: a "
     "port "
     "or address:port (or the next free one; default: 127.0.0.1:4040), or off",
     OPTION_TEXT, PLACE_FILE, MEMBER(inspect), 0, 0, GROUP_INSPECTOR, true},
    {0, "inspect-memory", "SIZE", NULL, "what the inspector keeps at most (default: 32MiB)", OPTION_TEXT,
     PLACE_FILE, MEMBER(inspect_memory), 0, 0, GROUP_INSPECTOR, false},
    {0, "inspect-password-file", "FILE", NULL,
     "file with the password that the inspector asks for (user: ttf), or TTF_INSPECT_PASSWORD; needed where "
     "other machines reach it",
     OPTION_TEXT, PLACE_FILE, MEMBER(inspect_password_file), 0, 0, GROUP_INSPECTOR, false},
    {0, "inspect-url", "URL", NULL,
     "the inspector that ttf mcp works on, as http://127.0.0.1:4040 (default: the first that is found)",
     OPTION_TEXT, PLACE_LINE, MEMBER(inspect_url), 0, 0, GROUP_INSPECTOR, false},
    {'c', "config", "FILE", NULL, "read this instead of ./ttf.yaml or $XDG_CONFIG_HOME/ttf/ttf.yaml",
     OPTION_TEXT, PLACE_LINE, MEMBER(config), 0, 0, GROUP_PROGRAM, true},
    {0, "log", "HOW", NULL,
     "how requests are shown: plain (lines) or json (an object a line) instead of the display that a "
     "terminal gets; which: all, pages (what they load is summed up) or errors; both with a comma",
     OPTION_TEXT, PLACE_LINE, MEMBER(log), 0, 0, GROUP_PROGRAM, true},
    {'v', "verbose", NULL, NULL, "tell on standard error what goes on", OPTION_FLAG, PLACE_LINE,
     MEMBER(verbose), 0, 0, GROUP_PROGRAM, true},
    {0, "sandbox", "HOW", NULL,
     "auto (default): ttf gives up system calls that it does not need, and writing files but in its own "
     "folder; off: it does not",
     OPTION_TEXT, PLACE_LINE, MEMBER(sandbox), 0, 0, GROUP_PROGRAM, false},
    {0, "health", NULL, NULL, "ask by the exit code whether the tunnels of this user are up", OPTION_FLAG,
     PLACE_LINE, MEMBER(health), 0, 0, GROUP_PROGRAM, false},
    {'h', "help", NULL, NULL,
     "what is needed most, a group of options (ttf --help visitors), or all (ttf --help all)", OPTION_FLAG,
     PLACE_LINE, MEMBER(help), 0, 0, GROUP_PROGRAM, true},
    {'V', "version", NULL, NULL, "show the version", OPTION_FLAG, PLACE_LINE, MEMBER(version), 0, 0,
     GROUP_PROGRAM, true},
};
const size_t option_rows_count = sizeof(option_rows) / sizeof(option_rows[0]);
static_assert(sizeof(option_rows) / sizeof(option_rows[0]) <= OPTION_ROWS_MAX, "there is a bit for each");

const struct option_row *option_by_name(struct view name) {
    for (size_t i = 0; i < option_rows_count; i++)
        if (view_eq(name, view_from_cstr(option_rows[i].name))) return &option_rows[i];
    return NULL;
}

const struct option_row *option_by_letter(char letter) {
    for (size_t i = 0; i < option_rows_count; i++)
        if (option_rows[i].letter && option_rows[i].letter == letter) return &option_rows[i];
    return NULL;
}

const struct option_row *option_nearest(struct view name, option_test_fn *is_meant) {
    const struct option_row *nearest = NULL;
    size_t least = 3;
    for (size_t i = 0; i < option_rows_count && name.len; i++) {
        struct view candidate = view_from_cstr(option_rows[i].name);
        if (!is_meant(&option_rows[i])) continue;
        size_t edits = view_starts_with(candidate, name) || view_starts_with(name, candidate)
                           ? 1
                           : edit_distance(name, candidate);
        if (edits >= least) continue;
        least = edits;
        nearest = &option_rows[i];
    }
    return nearest;
}

/* ---- values ---- */

static bool store_flag(void *member, const char *value, const char *source, char *error, size_t error_size) {
    bool is_true = !value || strcmp(value, "true") == 0;
    if (!is_true && strcmp(value, "false") != 0) {
        snprintf(error, error_size, "%s: '%.60s' is neither true nor false", source, value);
        return false;
    }
    *(bool *)member = is_true;
    return true;
}

static bool store_number(const struct option_row *row, void *member, const char *value, const char *source,
                         char *error, size_t error_size) {
    uint64_t number;
    if (view_parse_u64(view_from_cstr(value), &number) && number >= (uint64_t)row->min &&
        number <= (uint64_t)row->max) {
        *(long *)member = (long)number;
        return true;
    }
    snprintf(error, error_size, "%s: '%.60s' is not a number from %ld to %ld", source, value, row->min,
             row->max);
    return false;
}

bool option_store(const struct option_row *row, void *member, const char *value, const char *source,
                  char *error, size_t error_size) {
    if (row->kind == OPTION_FLAG) return store_flag(member, value, source, error, error_size);
    if (row->kind == OPTION_NUMBER) return store_number(row, member, value, source, error, error_size);
    if (*value) {
        *(const char **)member = value;
        return true;
    }
    snprintf(error, error_size, "%s is empty (it wants a %s)", source, row->argument);
    return false;
}
