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

bool token_take(struct view bytes, char out[TOKEN_MAX + 1], const char **ret_why) {
    while (bytes.len && strchr(" \t\r\n", bytes.ptr[bytes.len - 1])) bytes.len--;
    *ret_why = bytes.len ? "holds something else than one token" : "is empty";
    return bytes.len && view_copy_to(bytes, out, TOKEN_MAX + 1) && token_is_sane(out);
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
    const char *wrong;
    if (!token_take(view_of(bytes, len), text, &wrong)) return fail(token, wrong, error, error_size);
    memcpy(token->text, text, sizeof(text));
    return true;
}

const char *token_text(const struct token *token) {
    if (!token_is_renewed(token)) return token->given;
    return token->text[0] ? token->text : NULL;
}
