/* JSON string literals, see json_text.h. */
#include "protocol/json_text.h"

#include "base/base64.h"

static bool is_plain(unsigned char c) {
    return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

/* One UTF-8 sequence at the front of `v` (RFC 3629: no overlong forms, no surrogates). Its length, or 0 if it
 * is none. */
static size_t utf8_decode(struct view v, uint32_t *ret_code) {
    const unsigned char *p = (const unsigned char *)v.ptr;
    static const struct {
        unsigned char mask, lead;
        uint32_t min;
    } forms[] = {{0x80, 0x00, 0}, {0xe0, 0xc0, 0x80}, {0xf0, 0xe0, 0x800}, {0xf8, 0xf0, 0x10000}};
    for (size_t extra = 0; extra < 4; extra++) {
        if ((p[0] & forms[extra].mask) != forms[extra].lead) continue;
        if (v.len <= extra) return 0;
        uint32_t code = p[0] & (unsigned char)~forms[extra].mask;
        for (size_t i = 1; i <= extra; i++) {
            if ((p[i] & 0xc0) != 0x80) return 0;
            code = code << 6 | (p[i] & 0x3f);
        }
        bool legal = code >= forms[extra].min && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
        *ret_code = code;
        return legal ? extra + 1 : 0;
    }
    return 0;
}

static bool is_utf8(struct view v) {
    uint32_t code;
    while (v.len > 0) {
        size_t len = utf8_decode(v, &code);
        if (len == 0) return false;
        v = view_skip(v, len);
    }
    return true;
}

static bool append_escape(struct buf *out, uint32_t code) {
    if (code == '"' || code == '\\') return buf_append_byte(out, '\\') && buf_append_byte(out, (char)code);
    if (code < 0x10000) return buf_printf(out, "\\u%04x", (unsigned)code);
    code -= 0x10000;
    return buf_printf(out, "\\u%04x\\u%04x", (unsigned)(0xd800 + (code >> 10)),
                      (unsigned)(0xdc00 + (code & 0x3ff)));
}

static bool append_escaped(struct buf *out, struct view v) {
    bool utf8 = is_utf8(v);
    while (v.len > 0) {
        size_t plain = 0;
        while (plain < v.len && is_plain((unsigned char)v.ptr[plain])) plain++;
        if (plain > 0 && !buf_append(out, v.ptr, plain)) return false;
        v = view_skip(v, plain);
        if (v.len == 0) return true;
        uint32_t code = (unsigned char)v.ptr[0];
        size_t len = utf8 ? utf8_decode(v, &code) : 1;
        if (!append_escape(out, code)) return false;
        v = view_skip(v, len);
    }
    return true;
}

bool json_text_string(struct buf *out, struct view v) {
    return buf_append_byte(out, '"') && append_escaped(out, v) && buf_append_byte(out, '"');
}

bool json_text_base64(struct buf *out, struct view v) {
    char *room = buf_reserve(out, base64_encoded_len(v.len) + 2);
    if (!room) return false;
    room[0] = '"';
    size_t len = base64_encode(v, room + 1);
    room[len + 1] = '"';
    buf_commit(out, len + 2);
    return true;
}
