/* libFuzzer target: who proves domains by DNS, with name servers that answer as the input says. A byte each:
 * its low bits say what happens, its high bits to which domain and subject, or how. What is asked for is told
 * once, nothing is told after the end, and a proof holds only where its record was in an answer. */
#include <netdb.h>

#include "dns/ares_loop.h"
#include "dns/dns_proofs.h"
#include "fuzz.h"
#include "fuzz_log.h"

#define QUESTIONS_MAX (2 * PROOFS_ASKED_MAX)

static struct {
    struct {
        ares_callback told;
        void *ctx;
    } asked[QUESTIONS_MAX];
    size_t count;
    uint64_t now_ms;
    size_t wanted, told;
    bool has_record, is_stopped;
} world;

/* ---- what the product calls: a clock, a channel that is there or not, a name server ---- */

uint64_t uv_now(const uv_loop_t *loop) {
    (void)loop;
    return world.now_ms;
}

void ares_loop_init(struct ares_loop *ares, struct loop *loop) {
    *ares = (struct ares_loop){.loop = loop};
}

bool ares_loop_open(struct ares_loop *ares, const char *servers, int timeout_ms) {
    require(timeout_ms > 0);
    ares->is_open = *servers != '?';
    return *servers != '!';
}

void ares_loop_wait(struct ares_loop *ares) {
    require(ares->is_open);
}

static void answer(int status, unsigned char *bytes, int len) {
    if (!world.count) return;
    ares_callback told = world.asked[0].told;
    void *ctx = world.asked[0].ctx;
    memmove(&world.asked[0], &world.asked[1], --world.count * sizeof(world.asked[0]));
    told(ctx, status, 0, bytes, len);
}

void ares_loop_close(struct ares_loop *ares) {
    ares->is_open = false;
    while (world.count) answer(ARES_EDESTRUCTION, NULL, 0);
}

void ares_query(ares_channel channel, const char *name, int dnsclass, int type, ares_callback callback,
                void *arg) {
    (void)channel;
    require(dnsclass == 1 && type == 16 && strncmp(name, "_ttf.", 5) == 0 && world.count < PROOFS_ASKED_MAX);
    world.asked[world.count].told = callback;
    world.asked[world.count++].ctx = arg;
}

/* ---- what the input says ---- */

static void on_proof(void *target, uint64_t ticket, enum proof proof) {
    (void)ticket;
    require(target == &world && world.told < world.wanted && !world.is_stopped);
    require(proof != PROOF_HOLDS || world.has_record);
    world.told++;
}

/* One record of TXT that is these strings: each as many bytes of the input as the byte before says. */
static void answer_with(struct view *rest, size_t strings) {
    unsigned char out[4096] = {0,   0, 0x81, 0x80, 0, 1, 0,    1,  0, 0,  0, 0, 4, '_', 't', 't',
                               'f', 0, 0,    16,   0, 1, 0xc0, 12, 0, 16, 0, 1, 0, 0,   0,   60};
    size_t len = 34;
    for (size_t i = 0; i < strings && rest->len; i++) {
        struct view text = view_slice(*rest, 1, 1 + (unsigned char)rest->ptr[0]);
        *rest = view_skip(*rest, text.len + 1);
        out[len++] = (unsigned char)text.len;
        if (text.len) memcpy(out + len, text.ptr, text.len);
        len += text.len;
    }
    out[32] = (unsigned char)((len - 34) >> 8);
    out[33] = (unsigned char)(len - 34);
    world.has_record = true;
    char *copy = exact_copy(view_of(out, len));
    answer(ARES_SUCCESS, (unsigned char *)copy, (int)len);
    free(copy);
}

static void ask(const struct proofs *port, unsigned which) {
    static const struct view domains[] = {{"a.example", 9}, {"b.example", 9}},
                             subjects[] = {{"ann", 3}, {"", 0}};
    world.wanted++;
    require(port->ask(port->ctx, domains[which & 1], subjects[which >> 1 & 1], on_proof, &world, which));
}

static void happen(const struct proofs *port, struct loop *loop, unsigned byte, struct view *rest) {
    static const int failures[] = {ARES_ENOTFOUND, ARES_ENODATA, ARES_ETIMEOUT, ARES_ESERVFAIL};
    switch (byte & 7) {
    case 0:
    case 1: ask(port, byte >> 3); break;
    case 2: tasks_run(&loop->tasks); break;
    case 3: answer(failures[byte >> 3 & 3], NULL, 0); break;
    case 4: answer_with(rest, (byte >> 3) % 12); break;
    case 5: world.now_ms += (uint64_t)(byte >> 3) * 1000; break;
    case 6:
        for (size_t i = 0; i < PROOFS_ASKED_MAX && world.wanted - world.told < QUESTIONS_MAX; i++)
            ask(port, byte >> 3);
        break;
    default: answer(ARES_SUCCESS, (unsigned char *)"\0", (int)(byte >> 3 & 1)); break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct loop loop = {0};
    struct view rest = view_of(data, size);
    memset(&world, 0, sizeof(world));
    fuzz_hush();
    tasks_init(&loop.tasks, NULL, NULL);
    char servers[2] = {size ? (char)data[0] : 0};
    struct dns_proofs *proofs = dns_proofs_new(&loop, servers, VIEW("localhost"));
    if (!proofs) return 0;
    struct proofs port = dns_proofs_port(proofs);
    rest = view_skip(rest, 1);
    while (rest.len) {
        unsigned byte = (unsigned char)rest.ptr[0];
        rest = view_skip(rest, 1);
        happen(&port, &loop, byte, &rest);
    }
    dns_proofs_stop(proofs);
    world.is_stopped = true;
    tasks_run(&loop.tasks);
    require(world.count == 0);
    dns_proofs_free(proofs);
    return 0;
}
