/* See decoder.h. */
#include "coding/decoder.h"

#include <brotli/decode.h>
#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>
#define ZSTD_STATIC_LINKING_ONLY /* for ZSTD_createDCtx_advanced(), which every shared library has, too */
#include <zstd.h>

#define ZSTD_WINDOW_LOG_MAX 23 /* 8 MiB */

enum state {
    EMPTY,   /* nothing has come */
    RUNNING, /* within a stream */
    ENDED,   /* behind one; another may follow */
    OVER     /* whatever comes is thrown away */
};

enum result { NEEDS_MORE, AT_END, BAD };

struct decoder {
    enum coding coding;
    struct coding_memory *memory;
    enum state state;
    bool is_again;     /* a stream behind another one */
    bool has_made;     /* something came of this stream */
    bool is_inflating; /* of.zlib is there */
    bool is_within;    /* a zstd frame, of which a byte was given */
    union {
        z_stream zlib;
        BrotliDecoderState *brotli;
        ZSTD_DCtx *zstd;
    } of;
};

/* ---- the codings ---- */

/* Some services call what has no head of zlib's "deflate"; browsers take both. */
static int window_bits(const struct decoder *decoder, struct view bytes) {
    if (decoder->coding == CODING_GZIP) return MAX_WBITS + 16;
    return (bytes.ptr[0] & 0x0f) == Z_DEFLATED ? MAX_WBITS : -MAX_WBITS;
}

static enum result read_zlib(struct decoder *decoder, struct view *rest, char *out, size_t room,
                             size_t *ret_len) {
    z_stream *zlib = &decoder->of.zlib;
    zlib->zalloc = coding_memory_take_items;
    zlib->zfree = coding_memory_give;
    zlib->opaque = decoder->memory;
    if (!decoder->is_inflating)
        decoder->is_inflating = inflateInit2(zlib, window_bits(decoder, *rest)) == Z_OK;
    if (!decoder->is_inflating) return BAD;
    zlib->next_in = (unsigned char *)(uintptr_t)rest->ptr;
    zlib->avail_in = (unsigned)rest->len;
    zlib->next_out = (unsigned char *)out;
    zlib->avail_out = (unsigned)room;
    int result = inflate(zlib, Z_NO_FLUSH);
    *rest = view_skip(*rest, rest->len - zlib->avail_in);
    *ret_len = room - zlib->avail_out;
    if (result == Z_STREAM_END) return AT_END;
    return result == Z_OK || result == Z_BUF_ERROR ? NEEDS_MORE : BAD;
}

static enum result read_brotli(struct decoder *decoder, struct view *rest, char *out, size_t room,
                               size_t *ret_len) {
    const uint8_t *next_in = (const uint8_t *)rest->ptr;
    uint8_t *next_out = (uint8_t *)out;
    size_t avail_in = rest->len, avail_out = room;
    BrotliDecoderResult result =
        BrotliDecoderDecompressStream(decoder->of.brotli, &avail_in, &next_in, &avail_out, &next_out, NULL);
    *rest = view_skip(*rest, rest->len - avail_in);
    *ret_len = room - avail_out;
    if (result == BROTLI_DECODER_RESULT_SUCCESS) return AT_END;
    return result == BROTLI_DECODER_RESULT_ERROR ? BAD : NEEDS_MORE;
}

/* libzstd decodes a frame that it is given whole in another way, which takes other frames for broken: one
 * that ends in an empty block and is shorter than its head says. So the first byte comes alone, and what a
 * frame is does not depend on where it was cut. */
static enum result read_zstd(struct decoder *decoder, struct view *rest, char *out, size_t room,
                             size_t *ret_len) {
    ZSTD_inBuffer in = {.src = rest->ptr, .size = decoder->is_within || !rest->len ? rest->len : 1};
    ZSTD_outBuffer made = {.dst = out, .size = room};
    size_t left = ZSTD_decompressStream(decoder->of.zstd, &made, &in);
    if (!decoder->is_within && in.pos && !ZSTD_isError(left)) {
        in.size = rest->len;
        if (in.pos < in.size) left = ZSTD_decompressStream(decoder->of.zstd, &made, &in);
    }
    decoder->is_within = in.pos || decoder->is_within;
    *rest = view_skip(*rest, in.pos);
    *ret_len = made.pos;
    if (ZSTD_isError(left)) return BAD;
    return left == 0 ? AT_END : NEEDS_MORE;
}

static enum result read_some(struct decoder *decoder, struct view *rest, char *out, size_t room,
                             size_t *ret_len) {
    switch (decoder->coding) {
    case CODING_BR: return read_brotli(decoder, rest, out, room, ret_len);
    case CODING_ZSTD: return read_zstd(decoder, rest, out, room, ret_len);
    default: return read_zlib(decoder, rest, out, room, ret_len);
    }
}

/* ---- streams, one behind the other ---- */

/* Does another stream of this coding begin so? (RFC 1952 2.2, RFC 8878 3.1) */
static bool begins_again(const struct decoder *decoder, unsigned char first) {
    if (decoder->coding == CODING_GZIP) return first == 0x1f;
    return decoder->coding == CODING_ZSTD && (first == 0x28 || (first & 0xf0) == 0x50);
}

/* libzstd also knows formats of before RFC 8878, which are none of HTTP's and whose decoders few have looked
 * at. */
static bool is_other_format(const struct decoder *decoder, unsigned char first) {
    return decoder->coding == CODING_ZSTD && !begins_again(decoder, first);
}

static void go_behind_end(struct decoder *decoder, struct view rest) {
    bool again = begins_again(decoder, (unsigned char)rest.ptr[0]);
    if (again && decoder->coding == CODING_GZIP) again = inflateReset(&decoder->of.zlib) == Z_OK;
    decoder->state = again ? RUNNING : OVER;
    decoder->is_again = true;
    decoder->has_made = decoder->is_within = false;
}

bool decoder_read(struct decoder *decoder, struct view *rest, char *out, size_t room, size_t *ret_len) {
    *ret_len = 0;
    if (decoder->state == EMPTY && rest->len) {
        decoder->state = RUNNING;
        if (is_other_format(decoder, (unsigned char)rest->ptr[0])) return false;
    }
    if (decoder->state == ENDED && rest->len) go_behind_end(decoder, *rest);
    if (decoder->state == OVER) *rest = view_skip(*rest, rest->len);
    if (decoder->state != RUNNING) return true;
    enum result result = read_some(decoder, rest, out, room, ret_len);
    if (*ret_len) decoder->has_made = true;
    if (result == AT_END) decoder->state = ENDED;
    if (result != BAD) return true;
    decoder->state = OVER;
    return decoder->is_again && !decoder->has_made;
}

bool decoder_is_whole(const struct decoder *decoder) {
    return decoder->state != RUNNING || (decoder->is_again && !decoder->has_made);
}

static bool begin(struct decoder *decoder) {
    if (decoder->coding == CODING_BR) {
        decoder->of.brotli =
            BrotliDecoderCreateInstance(coding_memory_take, coding_memory_give, decoder->memory);
        return decoder->of.brotli != NULL;
    }
    if (decoder->coding != CODING_ZSTD) return true; /* zlib: with the first byte */
    decoder->of.zstd =
        ZSTD_createDCtx_advanced((ZSTD_customMem){coding_memory_take, coding_memory_give, decoder->memory});
    return decoder->of.zstd &&
           !ZSTD_isError(ZSTD_DCtx_setParameter(decoder->of.zstd, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG_MAX));
}

struct decoder *decoder_new(enum coding coding, struct coding_memory *memory) {
    struct decoder *decoder = calloc(1, sizeof(*decoder));
    if (!decoder) return NULL;
    decoder->coding = coding;
    decoder->memory = memory;
    if (begin(decoder)) return decoder;
    decoder_free(decoder);
    return NULL;
}

void decoder_free(struct decoder *decoder) {
    if (!decoder) return;
    if (decoder->is_inflating) inflateEnd(&decoder->of.zlib);
    if (decoder->coding == CODING_BR && decoder->of.brotli) BrotliDecoderDestroyInstance(decoder->of.brotli);
    if (decoder->coding == CODING_ZSTD) ZSTD_freeDCtx(decoder->of.zstd);
    free(decoder);
}

const char *decoder_libraries(void) {
    static char text[100];
    uint32_t brotli = BrotliDecoderVersion(); /* 0x01000009 is 1.0.9 */
    snprintf(text, sizeof(text), "zlib %s, brotli %u.%u.%u, zstd %s", zlibVersion(), brotli >> 24,
             brotli >> 12 & 0xfff, brotli & 0xfff, ZSTD_versionString());
    return text;
}
