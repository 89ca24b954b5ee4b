/* The secrets of a deployment: the one that is its own, given, or made once and kept in the state directory;
 * and the one of agents' tokens, which is always given. */
#ifndef GATEWAY_SECRET_FILE_H
#define GATEWAY_SECRET_FILE_H

#include "auth/jwt.h"
#include "auth/secret.h"
#include "config/config.h"

#define STATE_PATH_MAX 4096
/* The path of a file in the state directory. False where it is too long. */
bool config_state_path(const struct config *config, const char *name, char out[STATE_PATH_MAX]);
/* Makes the state directory where it is missing. False with errno. */
bool config_state_folder(const struct config *config);

/* Derived from it. */
struct secret_keys {
    unsigned char resume[SECRET_LEN], peer[SECRET_LEN], ticket[SECRET_LEN], seal[SECRET_LEN];
};

/* False only if OpenSSL fails. */
bool secret_keys_derive(struct view secret, struct secret_keys *ret_keys);

/* False after saying why on standard error. */
bool secret_load(const struct config *config, struct secret_keys *ret_keys);

#define SECRET_TEXT_MAX 4096

struct secret_text {
    char bytes[SECRET_TEXT_MAX + 1];
    size_t len;
};

/* What the keys of secret_load() are derived from. */
bool secret_load_text(const struct config *config, struct secret_text *ret_secret);

/* Those of agents' tokens of before, each as below; empty where there are fewer. */
bool secret_load_older(const struct config *config, struct secret_text ret_secrets[JWT_OLDER_MAX]);

/* Of agents' tokens, JWT_SECRET_MIN bytes at least. False after saying why. */
bool secret_load_jwt(const struct config *config, struct secret_text *ret_secret);

/* Of the administration (`admin-token`, or its file), 16 bytes at least. False after saying why. */
bool secret_load_admin(const struct config *config, struct secret_text *ret_secret);

#endif
