/* Settings of certificates by ACME: where they are kept, and whether what was said makes sense. */
#ifndef GATEWAY_ACME_SETTINGS_H
#define GATEWAY_ACME_SETTINGS_H

#include "config/config.h"

/* `<state directory>/acme/<authority>`: certificates of a test never pass for real ones. To be given to
 * free(); NULL, having said why on standard error. */
char *config_acme_folder(const struct config *config);

/* NULL, or what is wrong with it (static). */
const char *acme_email_fault(struct view email);
const char *acme_directory_fault(struct view url);
const char *acme_domain_fault(struct view domain);
const char *acme_hook_fault(const char *path);

#endif
