/* See claim_record.h. */
#include "store/claim_record.h"

/* ---- encoding ---- */

static bool one_line(const char *text) {
    return strchr(text, '\n') == NULL;
}

static bool lines_are_lines(const struct claim *claim) {
    return one_line(claim->tunnel_id) && one_line(claim->member.link.gateway) &&
           one_line(claim->member.link.connection);
}

static bool encode_head(struct buf *out, unsigned version, const struct claim *claim) {
    return buf_printf(out, "%u\n%llu\n%u\n%llu\n%s\n", version, (unsigned long long)claim->epoch,
                      (unsigned)claim->member.state, (unsigned long long)claim->expires_ms,
                      claim->member.link.connection);
}

bool claim_record_encode(struct buf *out, const struct claim *claim) {
    const struct member *member = &claim->member;
    return lines_are_lines(claim) && encode_head(out, 1, claim) &&
           buf_printf(out, "%s\n%s\n%u\n%u\n%u\n%llu\n%s", member->link.gateway, claim->tunnel_id,
                      (unsigned)member->link.protocol, member->capabilities, member->request_timeout_ms,
                      (unsigned long long)member->changed_ms, claim->owner);
}

static bool encode_escaped(struct buf *out, const char *text) {
    bool ok = true;
    for (; ok && *text; text++) {
        bool as_it_is = *text != '\n' && *text != '%';
        ok = as_it_is ? buf_append_byte(out, *text) : buf_printf(out, "%%%02x", (unsigned)*text);
    }
    return ok;
}

bool claim_record_encode_tagged(struct buf *out, const struct claim *claim, struct view options) {
    const struct member *member = &claim->member;
    char allowance[ALLOWANCE_TEXT_MAX];
    bool ok = lines_are_lines(claim) && claim_options_valid(options) && encode_head(out, 2, claim) &&
              buf_printf(out, "name.id=%s\nname.owner=", claim->tunnel_id) &&
              encode_escaped(out, claim->owner) && buf_append_byte(out, '\n');
    if (options.ptr) ok = ok && buf_printf(out, "name.options=%.*s\n", VIEW_ARG(options));
    if (!allowance_is_none(&member->allowance))
        ok = ok && buf_printf(out, "member.allowance=%.*s\n",
                              VIEW_ARG(allowance_encode(&member->allowance, allowance)));
    return ok && buf_printf(out,
                            "member.gateway=%s\nmember.protocol=%u\nmember.epoch=%llu\n"
                            "member.capabilities=%u\nmember.timeout=%u\nmember.changed=%llu\n",
                            member->link.gateway, (unsigned)member->link.protocol,
                            (unsigned long long)member->epoch, member->capabilities,
                            member->request_timeout_ms, (unsigned long long)member->changed_ms);
}

/* ---- decoding ---- */

static bool take_text(struct view *rest, char *out, size_t out_size) {
    struct view line;
    return view_split(rest, '\n', &line) && view_copy_to(line, out, out_size);
}

static bool take_number(struct view *rest, uint64_t max, uint64_t *ret_number) {
    struct view line;
    return view_split(rest, '\n', &line) && view_parse_u64(line, ret_number) && *ret_number <= max;
}

static bool is_state(uint64_t number) {
    return number == CLAIM_CONNECTING || number == CLAIM_READY || number == CLAIM_OFFLINE;
}

static bool decode_head(struct view *rest, uint64_t *ret_version, struct claim *claim) {
    uint64_t state;
    if (!take_number(rest, 2, ret_version) || !take_number(rest, UINT64_MAX, &claim->epoch) ||
        !take_number(rest, CLAIM_OFFLINE, &state) || !is_state(state) ||
        !take_number(rest, UINT64_MAX, &claim->expires_ms) ||
        !take_text(rest, claim->member.link.connection, sizeof(claim->member.link.connection)))
        return false;
    claim->member.epoch = claim->epoch;
    claim->member.state = (enum claim_state)state;
    return *ret_version > 0;
}

static bool decode_rest(struct view rest, struct claim *claim) {
    struct member *member = &claim->member;
    uint64_t protocol, capabilities, timeout;
    if (!take_text(&rest, member->link.gateway, sizeof(member->link.gateway)) ||
        !take_text(&rest, claim->tunnel_id, sizeof(claim->tunnel_id)) ||
        !take_number(&rest, LINK_V2, &protocol) || !take_number(&rest, UINT32_MAX, &capabilities) ||
        !take_number(&rest, UINT32_MAX, &timeout) || !take_number(&rest, UINT64_MAX, &member->changed_ms) ||
        !rest.ptr || !view_copy_to(rest, claim->owner, sizeof(claim->owner)))
        return false;
    member->link.protocol = (enum link_protocol)protocol;
    member->capabilities = (unsigned)capabilities;
    member->request_timeout_ms = (uint32_t)timeout;
    return true;
}

/* ---- tags ---- */

struct reading {
    struct claim *claim;
    struct view *options;
};

static bool read_number(struct view value, uint64_t max, uint64_t *ret_number) {
    return view_parse_u64(value, ret_number) && *ret_number <= max;
}

static bool read_id(struct reading *reading, struct view value) {
    return view_copy_to(value, reading->claim->tunnel_id, sizeof(reading->claim->tunnel_id));
}

static bool read_owner(struct reading *reading, struct view value) {
    char *out = reading->claim->owner, *end = out + OWNER_MAX;
    for (size_t i = 0; i < value.len; i++) {
        char byte = value.ptr[i];
        if (byte == '%') {
            struct view code = view_slice(value, i + 1, i + 3);
            byte = view_eq(code, VIEW("0a")) ? '\n' : view_eq(code, VIEW("25")) ? '%' : '\0';
            i += 2;
        }
        if (byte == '\0' || out == end) return false;
        *out++ = byte;
    }
    *out = '\0';
    return true;
}

static bool read_options(struct reading *reading, struct view value) {
    *reading->options = value;
    return claim_options_valid(value);
}

static bool read_gateway(struct reading *reading, struct view value) {
    struct link *link = &reading->claim->member.link;
    return view_copy_to(value, link->gateway, sizeof(link->gateway));
}

static bool read_protocol(struct reading *reading, struct view value) {
    uint64_t number;
    if (!read_number(value, LINK_V2, &number)) return false;
    reading->claim->member.link.protocol = (enum link_protocol)number;
    return true;
}

static bool read_epoch(struct reading *reading, struct view value) {
    struct claim *claim = reading->claim;
    return read_number(value, claim->epoch, &claim->member.epoch) && claim->member.epoch > 0;
}

static bool read_capabilities(struct reading *reading, struct view value) {
    uint64_t number;
    if (!read_number(value, UINT32_MAX, &number)) return false;
    reading->claim->member.capabilities = (unsigned)number;
    return true;
}

static bool read_timeout(struct reading *reading, struct view value) {
    uint64_t number;
    if (!read_number(value, UINT32_MAX, &number)) return false;
    reading->claim->member.request_timeout_ms = (uint32_t)number;
    return true;
}

static bool read_changed(struct reading *reading, struct view value) {
    return read_number(value, UINT64_MAX, &reading->claim->member.changed_ms);
}

static bool read_allowance(struct reading *reading, struct view value) {
    return allowance_decode(value, &reading->claim->member.allowance);
}

static const struct {
    struct view tag;
    bool may_miss;
    bool (*read)(struct reading *reading, struct view value);
} tags[] = {
    {{"name.id", 7}, false, read_id},
    {{"name.owner", 10}, false, read_owner},
    {{"name.options", 12}, true, read_options},
    {{"member.gateway", 14}, false, read_gateway},
    {{"member.protocol", 15}, false, read_protocol},
    {{"member.epoch", 12}, true, read_epoch},
    {{"member.capabilities", 19}, false, read_capabilities},
    {{"member.timeout", 14}, false, read_timeout},
    {{"member.changed", 14}, false, read_changed},
    {{"member.allowance", 16}, true, read_allowance},
};

enum { TAGS_COUNT = sizeof(tags) / sizeof(tags[0]) };

static bool decode_line(struct reading *reading, struct view line, bool seen[TAGS_COUNT]) {
    size_t at = view_find(line, '=');
    struct view tag = view_slice(line, 0, at), value = view_skip(line, at + 1);
    if (at == 0 || at == line.len) return false;
    for (size_t i = 0; i < TAGS_COUNT; i++) {
        if (!view_eq(tags[i].tag, tag)) continue;
        if (seen[i]) return false;
        seen[i] = true;
        return tags[i].read(reading, value);
    }
    return true; /* of a later version */
}

static bool decode_tags(struct view rest, struct reading *reading) {
    bool seen[TAGS_COUNT] = {false};
    struct view line;
    if (!view_ends_with(rest, VIEW("\n"))) return false;
    rest.len--;
    while (view_split(&rest, '\n', &line))
        if (!decode_line(reading, line, seen)) return false;
    for (size_t i = 0; i < TAGS_COUNT; i++)
        if (!seen[i] && !tags[i].may_miss) return false;
    return true;
}

bool claim_record_decode(struct view text, struct claim *ret_claim, struct view *ret_options) {
    struct reading reading = {ret_claim, ret_options};
    struct view rest = text;
    uint64_t version;
    *ret_claim = (struct claim){.epoch = 0};
    *ret_options = VIEW("");
    if (text.len > CLAIM_RECORD_MAX || !decode_head(&rest, &version, ret_claim)) return false;
    bool well = version == 1 ? decode_rest(rest, ret_claim) : decode_tags(rest, &reading);
    return well && ret_claim->epoch > 0 && ret_claim->tunnel_id[0] && ret_claim->owner[0];
}
