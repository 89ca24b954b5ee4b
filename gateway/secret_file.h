/* The one secret of a deployment: given, or made once and kept in the state directory. */
#ifndef GATEWAY_SECRET_FILE_H
#define GATEWAY_SECRET_FILE_H

#include "config.h"

#include "auth/secret.h"

/* The key derived from it for resume tokens. False after saying why on standard error. */
bool secret_load(const struct config *config, unsigned char ret_resume_key[SECRET_LEN]);

#endif
