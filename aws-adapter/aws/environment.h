/* What AWS itself puts into the environment of its programs: credentials, region, endpoints. */
#ifndef AWS_ENVIRONMENT_H
#define AWS_ENVIRONMENT_H

#include "aws/sigv4.h"

#define AWS_ENDPOINT_MAX 300

/* Views point into the environment. */
struct aws_environment {
    struct aws_credentials credentials;
    struct view region;
    const char *ca_file; /* AWS_CA_BUNDLE, SSL_CERT_FILE or what the system has; NULL: none found */
};

/* False, with the name of what is missing. */
bool aws_environment_read(struct aws_environment *environment, const char **ret_missing);

/* AWS_ENDPOINT_URL_<SERVICE>, AWS_ENDPOINT_URL, or AWS's own ("https://dynamodb.eu-west-1.amazonaws.com"),
 * without a slash at the end. `service` in lower case. False when it is too long. */
bool aws_environment_endpoint(const struct aws_environment *environment, const char *service,
                              char out[AWS_ENDPOINT_MAX]);

#endif
