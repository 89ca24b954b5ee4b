/* ttf.yaml: settings of the process, and a section for each tunnel.
 *
 *     endpoint: wss://tunnel.example.com
 *     tunnels:
 *       web:
 *         service: 3000
 *         name: demo
 *       api: https://localhost:8443
 *
 * A file that is found in the working directory may have come with somebody else's code. So it may not say
 * which file holds the user's token, nor whom to trust (ca-file), nor the way (proxy). */
#ifndef FORWARDER_AGENT_FILE_H
#define FORWARDER_AGENT_FILE_H

#include "base/arena.h"
#include "options.h"

#define AGENT_FILE_TUNNELS_MAX 128

struct agent_file {
    struct arena arena; /* of all strings here */
    struct options options;
    struct tunnel_options tunnels[AGENT_FILE_TUNNELS_MAX]; /* complete and checked */
    unsigned lines[AGENT_FILE_TUNNELS_MAX];                /* where each begins */
    size_t count;
    bool is_trusted;
};

/* `path` is what it is called in `error`, and what relative paths in it are relative to. Initialises
 * *ret_file, which agent_file_done() ends whatever comes of it. */
bool agent_file_parse(struct agent_file *ret_file, struct view text, const char *path, bool is_trusted,
                      char *error, size_t error_size);
/* The same of a file. */
bool agent_file_load(struct agent_file *ret_file, const char *path, bool is_trusted, char *error,
                     size_t error_size);
void agent_file_done(struct agent_file *file);

/* Keeps the tunnels of these labels, in the order of the file. False: there is none of one of them. */
bool agent_file_select(struct agent_file *file, const char *const labels[], size_t count, const char *path,
                       char *error, size_t error_size);

#endif
