/* See habits.h. */
#include "habits.h"

#include "base/edits.h"
#include "option_table.h"

struct habit {
    const char *theirs, *ours;
};

static const struct habit options[] = {
    {"subdomain", "--name NAME"},
    {"hostname", "--domain DOMAIN, or --name NAME"},
    {"custom-domain", "--domain DOMAIN"},
    {"url", "the service as a word, as ttf http://localhost:3000"},
    {"authtoken", "--token-file FILE, or ttf login"},
    {"auth", "--basic-auth USER:PASSWORD"},
    {"server", "--endpoint URL"},
    {"server-addr", "--endpoint URL"},
    {"gateway", "--endpoint URL"},
    {"local-host", "--host HOST"},
    {"local-port", "--port PORT"},
    {"http-host-header", "--host-header HOW"},
    {"cidr-allow", "--allow-ip NETWORKS"},
    {"cidr-deny", "--deny-ip NETWORKS"},
    {"no-tls-verify", "https://localhost:8443 as the service: any certificate will do"},
    {"loglevel", "--verbose"},
    {"log-level", "--verbose"},
    {"debug", "--verbose"},
    {"quiet", "--log errors"},
};

#define ALONE "the service stands alone, as ttf 3000 or ttf https://localhost:8443"
#define HTTP_ALONE "ttf tunnels HTTP and WebSockets alone"
#define LOGIN "ttf login GATEWAY stores a token"

static const struct habit words[] = {
    {"http", ALONE},
    {"https", ALONE},
    {"tunnel", ALONE},
    {"expose", ALONE},
    {"share", ALONE},
    {"serve", "the folder stands alone, as ttf ./public"},
    {"tcp", HTTP_ALONE},
    {"udp", HTTP_ALONE},
    {"tls", HTTP_ALONE},
    {"ssh", HTTP_ALONE},
    {"authtoken", LOGIN},
    {"auth", LOGIN},
    {"config", LOGIN ", and ttf.yaml holds the rest"},
    {"help", "ttf --help is meant"},
    {"version", "ttf --version is meant"},
    {"status", "ttf --health tells by its exit code"},
    {"install", "ttf service install is meant"},
    {"uninstall", "ttf service uninstall is meant"},
    {"completion", "ttf print bash, zsh or fish is meant"},
    {"completions", "ttf print bash, zsh or fish is meant"},
    {"localhost", "say its port, too, as ttf localhost:3000"},
};

static const char *look_up(const struct habit *habits, size_t count, struct view word) {
    for (size_t i = 0; i < count; i++)
        if (view_eq(word, view_from_cstr(habits[i].theirs))) return habits[i].ours;
    return NULL;
}

const char *habit_of_option(struct view name) {
    return look_up(options, sizeof(options) / sizeof(options[0]), name);
}

const char *habit_of_word(struct view word) {
    return look_up(words, sizeof(words) / sizeof(words[0]), word);
}

const char *habit_nearest_command(struct view word) {
    struct nearest nearest = {.word = word, .most = edits_allowed(word)};
    for (size_t i = 0; i < command_rows_count; i++) nearest_offer(&nearest, command_rows[i].name);
    return nearest.name;
}
