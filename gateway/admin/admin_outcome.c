/* See admin_outcome.h. */
#include "admin/admin_outcome.h"

/* Whom it is about stands between two texts. */
struct sentence {
    const char *before, *behind;
};

struct wording {
    const char *verb;
    struct sentence what, owner;
    const char *back;              /* the command that takes it back; NULL: nothing is said of its end */
    const char *one_was, *so_many; /* what became of agents; NULL: they are not told of */
};

static const struct wording wordings[] = {
    {"block",
     {"The name ", " is blocked"},
     {"", " is blocked"},
     "unblock",
     "was sent away",
     "were sent away"},
    {"unblock", {"The name ", " is blocked no more."}, {"", " is blocked no more."}, NULL, NULL, NULL},
    {"revoke",
     {"The token ", " is revoked"},
     {"What ", " has been given until now is revoked"},
     "unrevoke",
     "was sent away",
     "were sent away"},
    {"unrevoke",
     {"The token ", " is good again."},
     {"What ", " has been given is good again."},
     NULL,
     NULL,
     NULL},
    {"kick", {"", ":"}, {0}, NULL, "was sent away, and may come back", "were sent away, and may come back"},
    {"release", {"The name ", " is free: whoever asks for it next has it."}, {0}, NULL, NULL, NULL},
    {"drain",
     {"", " goes down when what runs is finished."},
     {0},
     NULL,
     "is told to connect elsewhere",
     "are told to connect elsewhere"},
};

static const struct wording *wording_of(const char *verb) {
    for (size_t i = 0; i < sizeof(wordings) / sizeof(wordings[0]); i++)
        if (strcmp(wordings[i].verb, verb) == 0) return &wordings[i];
    return NULL;
}

static void print_end(FILE *out, const struct wording *wording, struct view lasts) {
    if (lasts.ptr)
        fprintf(out, " for %.*s.", VIEW_ARG(lasts));
    else
        fprintf(out, ", until you say %s.", wording->back);
}

static void print_agents(FILE *out, const struct wording *wording, long long agents) {
    if (agents == 0)
        fputs(" No agent was connected.", out);
    else if (agents == 1)
        fprintf(out, " 1 agent %s.", wording->one_was);
    else
        fprintf(out, " %lld agents %s.", agents, wording->so_many);
}

void outcome_print(FILE *out, const struct outcome *outcome) {
    const struct wording *wording = wording_of(outcome->verb);
    if (!wording) return;
    bool is_owner = !outcome->what.ptr;
    struct view whom = is_owner ? outcome->owner : outcome->what;
    const struct sentence *sentence = is_owner ? &wording->owner : &wording->what;
    fprintf(out, "%s%.*s%s", sentence->before, VIEW_ARG(whom), sentence->behind);
    if (wording->back) print_end(out, wording, outcome->lasts);
    if (wording->one_was && outcome->agents != OUTCOME_UNKNOWN) print_agents(out, wording, outcome->agents);
    fputc('\n', out);
}
