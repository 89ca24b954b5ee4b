/* libFuzzer target: what an OpenID provider answers, and what is kept of it. Byte 0 says which; the rest is
 * the answer's body. What is kept can be shown on a terminal and put into a request. */
#include <ctype.h>

#include "fuzz.h"
#include "http/chars.h"
#include "oidc/oidc_state.h"

#define NAME "https://login.example.com"

static void require_printable(const char *text, size_t most) {
    size_t len = strlen(text);
    require(len <= most);
    for (size_t i = 0; i < len; i++) require(text[i] >= 0x20 && text[i] < 0x7f);
}

static void require_url(const char *text) {
    require_printable(text, HTTPS_URL_MAX);
    require(https_url_is_sane(view_from_cstr(text)));
    require(strncmp(text, "https://", 8) == 0 && !strchr(text, '#') && !strchr(text, ' '));
}

static void read_description(struct view text) {
    struct issuer issuer;
    const char *why;
    bool good = issuer_read(text, NAME, &issuer, &why);
    require(good == !why);
    if (!good) return;
    require_url(issuer.token_url);
    require_url(issuer.device_url);
}

static void read_device(int status, struct view text) {
    struct issuer_device device;
    char why[ISSUER_WHY_MAX] = "";
    if (!issuer_device_read(status, text, &device, why)) {
        require(why[0]);
        require_printable(why, ISSUER_WHY_MAX - 1);
        return;
    }
    require(status == 200 && device.code[0] && device.user_code[0]);
    require(device.interval_s >= 1 && device.interval_s <= 60 && device.life_s >= 10 &&
            device.life_s <= 1800);
    require_printable(device.code, sizeof(device.code) - 1);
    require_printable(device.user_code, sizeof(device.user_code) - 1);
    require_url(device.url);
}

static void read_grant(int status, struct view text) {
    static struct issuer_grant grant;
    char why[ISSUER_WHY_MAX] = "";
    enum issuer_word word = issuer_grant_read(status, text, NAME, &grant, why);
    require(word != ISSUER_REFUSES || why[0]);
    require_printable(why, ISSUER_WHY_MAX - 1);
    if (word != ISSUER_GIVES) return;
    require(status == 200 && grant.ends_s && grant.token[0] && http_is_visible(view_from_cstr(grant.token)));
    require_printable(grant.refresh, ISSUER_REFRESH_MAX);
}

static void read_state(struct view text) {
    static struct oidc_state state, again;
    struct buf out;
    if (!oidc_state_decode(text, &state)) return;
    buf_init(&out, (size_t)256 * 1024);
    require(oidc_state_encode(&state, &out) && oidc_state_decode(buf_view(&out), &again));
    require(strcmp(state.refresh, again.refresh) == 0 && state.ends_s == again.ends_s);
    (void)oidc_state_is_due(&state, 1700000000);
    buf_done(&out);
}

/* A form has no byte but those that stand for themselves in it. */
static void write_form(struct view text) {
    char value[256];
    struct buf form;
    buf_init(&form, 1024);
    if (view_copy_to(view_slice(text, 0, 255), value, sizeof(value)) && issuer_form_add(&form, "a", value) &&
        issuer_form_add(&form, "b", "c"))
        for (size_t i = 0; i < form.len; i++)
            require(isalnum((unsigned char)form.ptr[form.start + i]) ||
                    strchr("-._~%&=", form.ptr[form.start + i]));
    buf_done(&form);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0 || size > HTTPS_ANSWER_MAX) return 0;
    struct view rest = view_of(data + 1, size - 1);
    char *copy = exact_copy(rest);
    struct view text = view_of(copy, rest.len);
    int status = data[0] & 8 ? 400 : 200;
    write_form(text);
    switch (data[0] % 4) {
    case 0: read_description(text); break;
    case 1: read_device(status, text); break;
    case 2: read_grant(status, text); break;
    case 3: read_state(text); break;
    }
    free(copy);
    return 0;
}
