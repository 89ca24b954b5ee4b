/* See claim_record.h. */
#include "store/claim_record.h"

static bool one_line(const char *text) {
    return strchr(text, '\n') == NULL;
}

bool claim_record_encode(struct buf *out, const struct claim *claim) {
    if (!one_line(claim->tunnel_id) || !one_line(claim->member.link.gateway) ||
        !one_line(claim->member.link.connection))
        return false;
    return buf_printf(out, "1\n%llu\n%u\n%llu\n%s\n%s\n%s\n%u\n%u\n%u\n%llu\n%s",
                      (unsigned long long)claim->epoch, (unsigned)claim->member.state,
                      (unsigned long long)claim->expires_ms, claim->member.link.connection,
                      claim->member.link.gateway, claim->tunnel_id, (unsigned)claim->member.link.protocol,
                      claim->member.capabilities, claim->member.request_timeout_ms,
                      (unsigned long long)claim->member.changed_ms, claim->owner);
}

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

bool claim_record_decode(struct view text, struct claim *ret_claim) {
    struct claim *claim = ret_claim;
    struct view rest = text;
    uint64_t version, state, protocol, capabilities, timeout;
    *claim = (struct claim){.epoch = 0};
    if (!take_number(&rest, 1, &version) || version != 1 || !take_number(&rest, UINT64_MAX, &claim->epoch) ||
        !take_number(&rest, CLAIM_OFFLINE, &state) || !is_state(state) ||
        !take_number(&rest, UINT64_MAX, &claim->expires_ms) ||
        !take_text(&rest, claim->member.link.connection, sizeof claim->member.link.connection) ||
        !take_text(&rest, claim->member.link.gateway, sizeof claim->member.link.gateway) ||
        !take_text(&rest, claim->tunnel_id, sizeof claim->tunnel_id) ||
        !take_number(&rest, LINK_V2, &protocol) || !take_number(&rest, UINT32_MAX, &capabilities) ||
        !take_number(&rest, UINT32_MAX, &timeout) ||
        !take_number(&rest, UINT64_MAX, &claim->member.changed_ms) || !rest.ptr ||
        !view_copy_to(rest, claim->owner, sizeof claim->owner))
        return false;
    claim->member.epoch = claim->epoch;
    claim->member.state = (enum claim_state)state;
    claim->member.link.protocol = (enum link_protocol)protocol;
    claim->member.capabilities = (unsigned)capabilities;
    claim->member.request_timeout_ms = (uint32_t)timeout;
    return claim->epoch > 0 && claim->tunnel_id[0] && claim->owner[0];
}
