/* What kind of thing a file is, by the end of its name. */
#ifndef FORWARDER_FOLDER_MEDIA_TYPE_H
#define FORWARDER_FOLDER_MEDIA_TYPE_H

/* A value of Content-Type (static), with UTF-8 as the charset of text; application/octet-stream where the
 * name says nothing. */
const char *media_type_of(const char *path);

#endif
