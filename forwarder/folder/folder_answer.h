/* What a folder answers, as libmicrohttpd's answers; nothing outside forwarder/folder includes this. */
#ifndef FORWARDER_FOLDER_ANSWER_H
#define FORWARDER_FOLDER_ANSWER_H

#include <microhttpd.h>

#include "base/view.h"

/* Bytes of a request's head, beyond which it is 431. libmicrohttpd clears as many after each request. */
#define FOLDER_HEAD_MAX ((size_t)32 * 1024)

/* GET or HEAD of the raw target; `root` is borrowed. */
enum MHD_Result folder_answer(struct MHD_Connection *connection, int root, struct view target, bool lists);
/* Not GET or HEAD. */
enum MHD_Result folder_refuse_method(struct MHD_Connection *connection);
/* It could not be opened. */
enum MHD_Result folder_refuse_errno(struct MHD_Connection *connection, int error);

#endif
