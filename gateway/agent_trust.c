/* See agent_trust.h. */
#include "agent_trust.h"

#include <stdio.h>
#include <time.h>

#include "base/log.h"
#include "sockets/tls.h"

#define TURN_MS 20
#define TURN_COUNT 32 /* certificates that are judged in one turn of the loop: some 5 ms */

static void name_files(void *ctx, uint64_t *mark) {
    const struct agent_trust *files = ctx;
    const struct config *config = files->config;
    file_watch_add(mark, view_from_cstr(config->agent_client_ca));
    if (config->agent_client_crl) file_watch_add(mark, view_from_cstr(config->agent_client_crl));
}

static struct trust *read_files(const struct agent_trust *files, char why[TRUST_WHY_MAX]) {
    const struct config *config = files->config;
    return trust_load(config->agent_client_ca, config->agent_client_crl, (int64_t)time(NULL), why);
}

static const char *why_kick(void *ctx, const struct agent_card *card) {
    struct agent_trust *files = ctx;
    if (card->number <= files->judged || !files->turn) return NULL;
    files->judged = card->number;
    if (!card->shown) return NULL;
    files->turn--;
    const char *fault = trust_fault(files->trust, card->shown);
    if (!fault) return NULL;
    snprintf(files->text, sizeof(files->text), "the certificate is not accepted any more: %.70s", fault);
    log_from(LOG_LEVEL_INFO, LOG_AUDIT, card->address, "revocation tunnel=%.*s owner=%.*s: %s",
             VIEW_ARG(card->tunnel), VIEW_ARG(card->owner), fault);
    return files->text;
}

/* Those that have not been judged by what was read last; who has just come may have been let in by what was
 * before. True: there are more. */
static bool judge_some(struct agent_trust *files) {
    files->turn = TURN_COUNT;
    agent_ws_kick(files->agents, why_kick, files);
    return !files->turn;
}

static void take(struct agent_trust *files, struct trust *trust) {
    trust_free(files->trust);
    files->trust = trust;
    files->is_over = false;
    files->judged = 0;
    log_info("tls", "the authorities of agents' certificates were read anew; %zu certificates are revoked",
             trust_revoked(trust));
}

static void read_again(void *ctx) {
    struct agent_trust *files = ctx;
    char why[TRUST_WHY_MAX];
    struct trust *trust = read_files(files, why);
    if (trust && tls_server_ask(files->port, trust)) {
        take(files, trust);
        return;
    }
    log_error("tls", "%s; the authorities and lists of before stay", trust ? "out of memory" : why);
    trust_free(trust);
}

static void look_at_time(struct agent_trust *files) {
    int64_t end_s = trust_end_s(files->trust);
    if (!end_s || files->is_over || (int64_t)time(NULL) < end_s) return;
    files->is_over = true;
    log_error(
        "tls",
        "--agent-client-crl: the time of a list is over, and no certificate of its authority is accepted "
        "until there is a newer one");
}

static void on_looked(void *ctx) {
    struct agent_trust *files = ctx;
    look_at_time(files);
    if (judge_some(files)) timer_start(&files->loop->timers, &files->turns, TURN_MS);
}

static const struct file_watch_owner owner = {name_files, read_again, on_looked};

bool agent_trust_open(struct agent_trust *files, const struct config *config, struct tls_server *port) {
    char why[TRUST_WHY_MAX];
    *files = (struct agent_trust){.config = config, .port = port};
    if (!config->agent_client_ca || !port) return true;
    file_watch_init(&files->watch, &owner, files);
    files->trust = read_files(files, why);
    if (files->trust && tls_server_ask(port, files->trust)) return true;
    fprintf(stderr, "ttf-gateway: %s\n", files->trust ? "out of memory" : why);
    return false;
}

static void on_turn(struct timer *timer) {
    struct agent_trust *files = LIST_ENTRY(timer, struct agent_trust, turns);
    if (judge_some(files)) timer_start(&files->loop->timers, &files->turns, TURN_MS);
}

void agent_trust_watch(struct agent_trust *files, struct loop *loop, struct agent_ws *agents) {
    if (!files->trust) return;
    files->loop = loop;
    files->agents = agents;
    timer_init(&files->turns, on_turn);
    file_watch_start(&files->watch, loop);
}

void agent_trust_stop(struct agent_trust *files) {
    if (!files->agents) return;
    file_watch_stop(&files->watch);
    timer_stop(&files->loop->timers, &files->turns);
    files->agents = NULL;
}

void agent_trust_done(struct agent_trust *files) {
    trust_free(files->trust);
    files->trust = NULL;
}
