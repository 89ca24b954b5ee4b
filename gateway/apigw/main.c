/* ttf-apigw: a stand-in for API Gateway, AWS Lambda and a table's stream; apigw.c wires its parts. */
#include "admin/health.h"
#include "apigw/apigw.h"

#include "base/heap.h"

#include <stdio.h>

int main(int argc, char **argv) {
    static struct config config;
    int code;
    heap_init();
    settings_choose(PROGRAM_APIGW);
    if (config_init(&config, argc, argv, &code)) {
        if (config.wants_help)
            config_print_help();
        else if (config.wants_markdown)
            config_print_markdown();
        else if (config.wants_version)
            printf("ttf-apigw v%s\n", TTF_VERSION);
        else if (config.wants_health)
            code = health_ask(&config.admin_listen);
        else
            code = apigw_run(&config);
    }
    config_done(&config);
    return code;
}
