/* ttf-apigw: a stand-in for API Gateway, AWS Lambda and a table's stream; apigw.c wires its parts. */
#include <stdio.h>
#include <string.h>

#include "admin/health.h"
#include "apigw/apigw.h"
#include "apigw/described.h"
#include "base/heap.h"
#include "config/config_texts.h"
#include "version.h"

int main(int argc, char **argv) {
    static struct config config;
    static struct described described;
    int code;
    heap_init();
    settings_choose(PROGRAM_APIGW);
    if (argc > 1 && strcmp(argv[1], "print") == 0) return config_texts_command(argc - 1, argv + 1);
    if (config_init_with(&config, argc, argv, described_read, &described, &code)) {
        if (config.help)
            code = config_print_help(config.help);
        else if (config.wants_markdown)
            config_print_markdown();
        else if (config.wants_version)
            version_print(stdout);
        else if (config.wants_health)
            code = health_ask(&config.admin_listen);
        else
            code = apigw_run(&config, &described);
    }
    described_done(&described);
    config_done(&config);
    return code;
}
