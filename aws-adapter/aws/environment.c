#include "aws/environment.h"

#include <stdio.h>
#include <stdlib.h>

#include "net/authorities.h"

static struct view variable(const char *name) {
    const char *value = getenv(name);
    return value && *value ? view_from_cstr(value) : (struct view){0};
}

static const char *find_ca_file(void) {
    return variable("AWS_CA_BUNDLE").len ? getenv("AWS_CA_BUNDLE") : authorities_file();
}

bool aws_environment_read(struct aws_environment *environment, const char **ret_missing) {
    struct view region = variable("AWS_REGION");
    if (!region.len) region = variable("AWS_DEFAULT_REGION");
    *environment = (struct aws_environment){
        .credentials = {.access_key = variable("AWS_ACCESS_KEY_ID"),
                        .secret_key = variable("AWS_SECRET_ACCESS_KEY"),
                        .session_token = variable("AWS_SESSION_TOKEN")},
        .region = region,
        .ca_file = find_ca_file(),
    };
    *ret_missing = !region.len                                ? "AWS_REGION"
                   : !environment->credentials.access_key.len ? "AWS_ACCESS_KEY_ID"
                   : !environment->credentials.secret_key.len ? "AWS_SECRET_ACCESS_KEY"
                                                              : NULL;
    return *ret_missing == NULL;
}

static bool endpoint_variable(const char *service, struct view *ret) {
    char name[64];
    int len = snprintf(name, sizeof(name), "AWS_ENDPOINT_URL_%s", service);
    for (char *at = name; len > 0 && *at; at++)
        if (*at >= 'a' && *at <= 'z') *at = (char)(*at - 'a' + 'A');
    *ret = variable(name);
    if (!ret->len) *ret = variable("AWS_ENDPOINT_URL");
    return ret->len > 0;
}

bool aws_environment_endpoint(const struct aws_environment *environment, const char *service,
                              char out[AWS_ENDPOINT_MAX]) {
    struct view url;
    bool is_china = view_starts_with(environment->region, VIEW("cn-"));
    int len;
    if (endpoint_variable(service, &url)) {
        while (url.len && url.ptr[url.len - 1] == '/') url.len--;
        len = snprintf(out, AWS_ENDPOINT_MAX, "%.*s", VIEW_ARG(url));
    } else {
        len = snprintf(out, AWS_ENDPOINT_MAX, "https://%s.%.*s.amazonaws.com%s", service,
                       VIEW_ARG(environment->region), is_china ? ".cn" : "");
    }
    return len > 0 && len < AWS_ENDPOINT_MAX;
}
