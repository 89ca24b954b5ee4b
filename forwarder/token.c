/* See token.h. */
#include "token.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/regular_file.h"
#include "http/chars.h"

bool token_is_sane(const char *text) {
    struct view bytes = view_from_cstr(text);
    return bytes.len > 0 && bytes.len <= TOKEN_MAX && http_is_visible(bytes);
}

static bool fail(const struct token *token, const char *why, char *error, size_t error_size) {
    snprintf(error, error_size, "the token file %.300s %s", token->path, why);
    return false;
}

bool token_refresh(struct token *token, char *error, size_t error_size) {
    char bytes[TOKEN_MAX + 64], text[TOKEN_MAX + 1], why[128];
    if (!token->path) return true;
    FILE *file = regular_file_open(token->path);
    if (!file) {
        snprintf(why, sizeof(why), "cannot be read: %s", errno == EINVAL ? "it is no file" : strerror(errno));
        return fail(token, why, error, error_size);
    }
    size_t len = fread(bytes, 1, sizeof(bytes), file);
    fclose(file);
    struct view line = view_of(bytes, len);
    while (line.len && strchr(" \t\r\n", line.ptr[line.len - 1])) line.len--;
    if (line.len == 0) return fail(token, "is empty", error, error_size);
    if (!view_copy_to(line, text, sizeof(text)) || !token_is_sane(text))
        return fail(token, "holds something else than one token", error, error_size);
    memcpy(token->text, text, sizeof(text));
    return true;
}

const char *token_text(const struct token *token) {
    return token->path ? token->text : token->given;
}
