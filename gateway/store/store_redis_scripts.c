/* The Lua scripts of store_redis. Every key that a script touches is in KEYS. A claim's record is read by one
 * pattern, whose order is claim_record.h's. `want` clears away what stands under a key of ours with a type
 * that we have not given it. */
#include "store/claim_record.h"
#include "store/store_redis_state.h"

#define TEXT_OF(number) #number
#define NUMBER_TEXT(number) TEXT_OF(number)

/* The lines behind the first five are `tagged` in version 2. */
#define READ_CLAIM                                                                                           \
    "local function parse(text) "                                                                            \
    "  if type(text) ~= 'string' or #text > " NUMBER_TEXT(                                                   \
        CLAIM_RECORD_MAX) " then return nil end "                                                            \
                          "  local version, epoch, state, expires, connection, rest = "                      \
                          "    string.match(text, '^([12])\\n(%d+)\\n(%d+)\\n(%d+)\\n([^\\n]*)\\n(.*)$') "   \
                          "  if not version then return nil end "                                            \
                          "  return {epoch = epoch, state = tonumber(state), expires = tonumber(expires), "  \
                          "          connection = connection, tagged = version == '2' and rest or ''} "      \
                          "end "

/* Of the record that stands there, the lines whose tags the new one does not say: what belongs to the member
 * only while it is the same one. */
#define KEEP_TAGS                                                                                            \
    "local function keep(stands, new) "                                                                      \
    "  local kept, said = '', '\\n' .. new.tagged "                                                          \
    "  for tag, value in string.gmatch(stands.tagged, '([^=\\n]+)=([^\\n]*)\\n') do "                        \
    "    local is_members = string.sub(tag, 1, 7) == 'member.' "                                             \
    "    local goes = value == '' or is_members and stands.connection ~= new.connection "                    \
    "    if not goes and not string.find(said, '\\n' .. tag .. '=', 1, true) then "                          \
    "      kept = kept .. tag .. '=' .. value .. '\\n' "                                                     \
    "    end "                                                                                               \
    "  end "                                                                                                 \
    "  return kept "                                                                                         \
    "end "

#define WANT                                                                                                 \
    "local function want(key, kind) "                                                                        \
    "  local is = redis.call('TYPE', key).ok "                                                               \
    "  if is ~= kind and is ~= 'none' then redis.call('DEL', key) end "                                      \
    "end "

const char *const store_script_texts[SCRIPTS_COUNT] = {
    /* KEYS claim, links; ARGV record, expected epoch, expected states, now, expires ("": never), connection
     * ("": offline), channel, message, record of version 2, needs that ("": only for what is kept). 1, 0
     * (conflict), or -1: what is kept leaves no room. */
    [SCRIPT_STORE] = READ_CLAIM KEEP_TAGS WANT
    "local claim = parse(redis.pcall('GET', KEYS[1])) "
    "if claim and claim.expires <= tonumber(ARGV[4]) then claim = nil end "
    "if not claim then "
    "  if ARGV[2] ~= '0' then return 0 end "
    "elseif claim.epoch ~= ARGV[2] or bit.band(claim.state, tonumber(ARGV[3])) == 0 then return 0 end "
    "local record, kept = ARGV[1], claim and keep(claim, parse(ARGV[9])) or '' "
    "if kept ~= '' or ARGV[10] ~= '' then record = ARGV[9] .. kept end "
    "if #record > " NUMBER_TEXT(
        CLAIM_RECORD_MAX) " then return -1 end "
                          "redis.call('SET', KEYS[1], record) "
                          "if ARGV[5] ~= '' then redis.call('PEXPIREAT', KEYS[1], ARGV[5]) end "
                          "if ARGV[6] ~= '' then want(KEYS[2], 'hash') redis.call('HSETNX', KEYS[2], "
                          "ARGV[6], record) end "
                          "redis.call('PUBLISH', ARGV[7], ARGV[8]) "
                          "return 1",

    /* KEYS links; ARGV connection, channel, message */
    [SCRIPT_REMOVE_CONNECTION] = WANT "want(KEYS[1], 'hash') "
                                      "local removed = redis.call('HDEL', KEYS[1], ARGV[1]) "
                                      "if removed == 1 then redis.call('PUBLISH', ARGV[2], ARGV[3]) end "
                                      "return removed",

    /* KEYS pending; ARGV connection, expires, waiter's channel */
    [SCRIPT_PUT] =
        "redis.call('DEL', KEYS[1]) "
        "redis.call('HSET', KEYS[1], 'connection', ARGV[1], 'expires', ARGV[2], 'waiter', ARGV[3]) "
        "redis.call('PEXPIREAT', KEYS[1], ARGV[2]) "
        "return 1",

    /* KEYS pending; ARGV connection, now, answer, message. 1, or 0: not to be answered (so) */
    [SCRIPT_COMPLETE] =
        "local pending = redis.pcall('HMGET', KEYS[1], 'connection', 'expires', 'waiter', 'answer') "
        "if pending.err or pending[1] ~= ARGV[1] or pending[4] then return 0 end "
        "local expires = tonumber(pending[2] or '') "
        "if not expires or expires <= tonumber(ARGV[2]) or not pending[3] then return 0 end "
        "redis.call('HSET', KEYS[1], 'answer', ARGV[3]) "
        "redis.call('PUBLISH', pending[3], ARGV[4]) "
        "return 1",

    /* KEYS message; ARGV text, milliseconds, channel of the holder, wake. How many gateways have heard. */
    [SCRIPT_SEND] = "redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2]) "
                    "local heard = redis.call('PUBLISH', ARGV[3], ARGV[4]) "
                    "if heard == 0 then redis.call('DEL', KEYS[1]) end "
                    "return heard",

    /* KEYS message. Its text, or nil. */
    [SCRIPT_FETCH] = "local text = redis.pcall('GET', KEYS[1]) "
                     "if type(text) ~= 'string' then return false end "
                     "redis.call('DEL', KEYS[1]) "
                     "return text",

    /* KEYS lease, gateways, store, secret, reserved; ARGV gateway, instance, lease (ms), own channel, id for
     * a new store, store id known so far ("": none). What it returns: the instance that had the lease, the
     * store's id, how long names are reserved, when the secret was made, gateways whose lease has ended. */
    [SCRIPT_RENEW] =
        WANT "want(KEYS[1], 'string') want(KEYS[2], 'zset') want(KEYS[3], 'string') want(KEYS[4], 'hash') "
             "local time = redis.call('TIME') "
             "local now = time[1] * 1000 + math.floor(time[2] / 1000) "
             "local before = redis.call('GET', KEYS[1]) or '' "
             "redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) "
             "redis.call('ZADD', KEYS[2], now + ARGV[3], ARGV[1]) "
             "redis.call('SET', KEYS[3], ARGV[5], 'NX') "
             "local id = redis.call('GET', KEYS[3]) "
             "if ARGV[6] ~= '' and ARGV[6] ~= id then redis.call('SET', KEYS[5], '1', 'PX', ARGV[3] * 2) end "
             "redis.call('PUBLISH', ARGV[4], 'h') "
             "local dead = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now, 'LIMIT', 0, 8) "
             "return {before, id, redis.call('PTTL', KEYS[5]), redis.call('HGET', KEYS[4], 'created') or '', "
             "unpack(dead)}",

    /* KEYS secret; ARGV created, value. The older of the two stays: {created, value}. */
    [SCRIPT_SECRET] = WANT "want(KEYS[1], 'hash') "
                           "local there = redis.call('HMGET', KEYS[1], 'created', 'value') "
                           "local created = tonumber(there[1] or '') "
                           "if not created or not there[2] or tonumber(ARGV[1]) < created then "
                           "  redis.call('HSET', KEYS[1], 'created', ARGV[1], 'value', ARGV[2]) "
                           "  return {ARGV[1], ARGV[2]} "
                           "end "
                           "return there",

    /* KEYS hash; ARGV key, channel, message, record */
    [SCRIPT_PUT_ON] = WANT "want(KEYS[1], 'hash') "
                           "redis.call('HSET', KEYS[1], ARGV[1], ARGV[4]) "
                           "redis.call('PUBLISH', ARGV[2], ARGV[3]) "
                           "return 1",

    /* KEYS hash; ARGV key, channel, message, and the record where it must be this one. 1, or -1: there was
       none */
    [SCRIPT_TAKE_OFF] =
        WANT "want(KEYS[1], 'hash') "
             "if ARGV[4] and redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[4] then return -1 end "
             "if redis.call('HDEL', KEYS[1], ARGV[1]) == 0 then return -1 end "
             "redis.call('PUBLISH', ARGV[2], ARGV[3]) "
             "return 1",

    /* KEYS lock; ARGV instance, milliseconds. 1: it is his from now on; 0: another one's */
    [SCRIPT_LOCK] = WANT "want(KEYS[1], 'string') "
                         "local has = redis.call('GET', KEYS[1]) "
                         "if has and has ~= ARGV[1] then return 0 end "
                         "redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2]) "
                         "return 1",

    /* KEYS lock; ARGV instance */
    [SCRIPT_UNLOCK] = WANT "want(KEYS[1], 'string') "
                           "if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end "
                           "return 1",

    /* KEYS gateways, links; ARGV gateway. Forgets a gateway whose lease has ended and that holds nothing. */
    [SCRIPT_FORGET] = WANT "want(KEYS[2], 'hash') "
                           "local time = redis.call('TIME') "
                           "local now = time[1] * 1000 + math.floor(time[2] / 1000) "
                           "local ends = redis.call('ZSCORE', KEYS[1], ARGV[1]) "
                           "if ends and tonumber(ends) <= now and redis.call('HLEN', KEYS[2]) == 0 then "
                           "  redis.call('ZREM', KEYS[1], ARGV[1]) "
                           "end "
                           "return 1",
};
