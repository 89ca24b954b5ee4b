/* Where a form of ours says that the visitor wanted to go. Anybody may have made the form. */
#ifndef POLICY_POLICY_TARGET_H
#define POLICY_POLICY_TARGET_H

#include "base/view.h"

/* What was said, if browsers take it for a path of this tunnel that is none of ours; else "/". */
struct view policy_own_target(struct view said);

#endif
