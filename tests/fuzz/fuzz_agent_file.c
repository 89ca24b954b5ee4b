/* libFuzzer target: ttf.yaml. What is refused is refused with a reason; what is taken are tunnels, each with
 * a name of its own and a service; and a file that was only found says nothing that only the user may. */
#include "agent_file.h"
#include "fuzz.h"

static void check(const struct agent_file *file, bool is_trusted) {
    for (size_t i = 0; i < file->count; i++) {
        const struct tunnel_options *tunnel = &file->tunnels[i];
        require(tunnel->label && tunnel_label_is_sane(tunnel->label));
        require(tunnel->folder || tunnel->unix_path ||
                (tunnel->host && tunnel->port >= 1 && tunnel->port <= 65535));
        for (size_t j = 0; j < i; j++) require(strcmp(tunnel->label, file->tunnels[j].label) != 0);
    }
    const struct options *options = &file->options;
    require(is_trusted || (!options->token_file && !options->ca_file && !options->proxy));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct agent_file file;
    char *copy = exact_copy(view_of(data, size));
    for (int is_trusted = 0; is_trusted < 2; is_trusted++) {
        char error[512] = "";
        bool good =
            agent_file_parse(&file, view_of(copy, size), "ttf.yaml", is_trusted, error, sizeof(error));
        require(good || error[0]);
        if (good) check(&file, is_trusted);
        agent_file_done(&file);
    }
    free(copy);
    return 0;
}
