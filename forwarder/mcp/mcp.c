/* See mcp.h. */
#include "mcp/mcp.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "mcp/agent_api.h"
#include "mcp/rpc.h"
#include "mcp/session.h"
#include "mcp/stdlines.h"

#define TEARDOWN_MS 200u

enum { EXIT_USAGE = 2 };

struct program {
    struct loop loop;
    struct agent_api *api;
    struct session *session;
    struct stdlines lines;
    bool input_has_ended;
};

static void end_if_done(void *ctx) {
    struct program *program = ctx;
    if (program->input_has_ended && session_is_idle(program->session) && stdlines_is_drained(&program->lines))
        loop_quit(&program->loop);
}

static void on_line(void *ctx, struct view line) {
    struct program *program = ctx;
    session_line(program->session, line);
}

static void on_input_end(void *ctx) {
    struct program *program = ctx;
    program->input_has_ended = true;
    session_input_ended(program->session);
    end_if_done(program);
}

static void on_output_end(void *ctx) {
    struct program *program = ctx;
    loop_quit(&program->loop);
}

static void say(void *ctx, struct view line) {
    struct program *program = ctx;
    stdlines_write(&program->lines, line);
}

static const struct stdlines_events stdlines_events = {.on_line = on_line,
                                                       .on_input_end = on_input_end,
                                                       .on_output_end = on_output_end,
                                                       .on_drained = end_if_done};

static bool start(struct program *program, const struct agent_api_place *place, const char *password) {
    program->api = agent_api_new(&program->loop, place, password);
    if (!program->api) return false;
    struct session_port port = {.ctx = program,
                                .say = say,
                                .on_idle = end_if_done,
                                .asker = agent_api_asker(program->api),
                                .timers = &program->loop.timers};
    program->session = session_new(&port);
    if (program->session)
        stdlines_init(&program->lines, &program->loop, RPC_LINE_MAX, &stdlines_events, program);
    return program->session != NULL;
}

static int tear_down(struct program *program, int code) {
    session_free(program->session);
    agent_api_free(program->api);
    if (!loop_done_within(&program->loop, TEARDOWN_MS)) _exit(code); /* a read of standard input */
    stdlines_done(&program->lines);
    free(program);
    return code;
}

int mcp_run(const char *url, char *password) {
    struct agent_api_place place = {0};
    const char *wrong = url ? agent_api_parse(url, &place) : NULL;
    struct program *program = calloc(1, sizeof(*program));
    if (wrong || !program || !loop_init(&program->loop)) {
        fprintf(stderr, "ttf: %s%s\n", wrong ? "--inspect-url is no URL of an inspector: " : "out of memory",
                wrong ? wrong : "");
        free(program);
        return wrong ? EXIT_USAGE : 1;
    }
    bool is_started = start(program, &place, password);
    explicit_bzero(password, strlen(password));
    if (is_started) loop_run(&program->loop);
    return tear_down(program, is_started ? 0 : 1);
}
