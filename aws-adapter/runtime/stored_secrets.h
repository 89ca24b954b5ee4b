/* Secrets that stand in AWS's stores instead of in the function's variables. TUNNEL_SECRET_FROM,
 * JWT_SECRET_FROM and JWT_OLDER_SECRET_FROM say where: "ssm:NAME[:VERSION]", a parameter of Systems Manager
 * (GetParameter), or "secretsmanager:ARN[#VERSION]" (GetSecretValue). They are read once, when an environment
 * starts, both at once, and are put where the settings are read from, which is the environment:
 * TUNNEL_SECRET, JWT_SECRET, JWT_OLDER_SECRET. */
#ifndef AWS_ADAPTER_STORED_SECRETS_H
#define AWS_ADAPTER_STORED_SECRETS_H

#include "aws/aws_client.h"
#include "net/loop.h"

/* Whether there is something to read. */
bool stored_secrets_wanted(void);
/* Runs the loop until all are there: 5 s at most. False, and in `why` which variable and what is wrong; no
 * secret is in it. */
bool stored_secrets_read(struct aws_client *aws, struct loop *loop, char why[256]);

#endif
