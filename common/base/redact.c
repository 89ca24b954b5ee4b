/* Secrets in request targets (log.h). Everything is compared as decoded, since %74oken is token to whoever is
 * asked for it; what is printed is what came. */
#include "base/hex.h"
#include "base/log.h"

#define NAME_BYTES 48
#define LITERAL(text)                                                                                        \
    { text, sizeof(text) - 1 }

/* Of names as name_add() keeps them: letters and digits. */
static bool is_secret(struct view name, bool is_parameter) {
    static const struct view ends[] = {
        LITERAL("token"),     LITERAL("password"),    LITERAL("passwd"),    LITERAL("passphrase"),
        LITERAL("secret"),    LITERAL("apikey"),      LITERAL("accesskey"), LITERAL("privatekey"),
        LITERAL("signature"), LITERAL("credential"),  LITERAL("jwt"),       LITERAL("authorization"),
        LITERAL("sessionid"), LITERAL("credentials"), LITERAL("secretkey"), LITERAL("assertion"),
    };
    static const struct view whole[] = {
        LITERAL("resume"), LITERAL("sig"),  LITERAL("key"), LITERAL("pass"), LITERAL("pwd"),
        LITERAL("sid"),    LITERAL("code"), LITERAL("otp"), LITERAL("auth"),
    };
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
        if (view_ends_with(name, ends[i])) return true;
    for (size_t i = 0; is_parameter && i < sizeof(whole) / sizeof(whole[0]); i++)
        if (view_eq(name, whole[i])) return true;
    return false;
}

/* The byte that stands in front, and how many it is written with. */
static char decoded(struct view text, size_t *ret_len) {
    int byte = percent_byte(text);
    *ret_len = byte < 0 ? 1 : 3;
    return byte < 0 ? text.ptr[0] : (char)byte;
}

struct name {
    size_t len;
    char text[NAME_BYTES]; /* its last bytes */
};

static void name_add(struct name *name, char c) {
    if (c >= 'A' && c <= 'Z') c = (char)(c | 0x20);
    bool counts = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    if (!counts) return; /* access_token, access-token, user[token] */
    if (name->len == NAME_BYTES) memmove(name->text, name->text + 1, --name->len);
    name->text[name->len++] = c;
}

bool log_is_secret_name(struct view text, bool is_parameter) {
    struct name name = {0};
    for (size_t i = 0; i < text.len; i++) name_add(&name, text.ptr[i]);
    return is_secret(view_of(name.text, name.len), is_parameter);
}

/* Where the value ends that begins there: in a path at whatever ends a parameter of it, in a query at the
 * next parameter, however the one that reads it splits within. */
static size_t value_len(struct view rest, bool in_query) {
    for (size_t i = 0; i < rest.len; i++) {
        char c = rest.ptr[i];
        if (c == '&' || c == '#' || (!in_query && (c == '?' || c == '/' || c == ';'))) return i;
    }
    return rest.len;
}

static bool may_hold_secrets(struct view target) {
    return view_find(target, '=') < target.len || view_find(target, '%') < target.len;
}

bool log_redact_target(struct buf *out, struct view target) {
    struct name name = {0};
    bool in_query = false, in_name = false;
    size_t kept = 0;
    if (!may_hold_secrets(target)) return buf_append_view(out, target);
    for (size_t i = 0, len; i < target.len; i += len) {
        char c = decoded(view_skip(target, i), &len);
        if (c == '?' && len == 1) in_query = true;
        if (c == '?' || c == '&' || c == ';' || c == '#') {
            in_name = true;
            name.len = 0;
        } else if (c == '=' && in_name) {
            in_name = false;
            if (!is_secret(view_of(name.text, name.len), true)) continue;
            if (!buf_append_view(out, view_slice(target, kept, i + len)) || !buf_append(out, "***", 3))
                return false;
            len += value_len(view_skip(target, i + len), in_query);
            kept = i + len;
        } else if (in_name) {
            name_add(&name, c);
        }
    }
    return buf_append_view(out, view_skip(target, kept));
}
