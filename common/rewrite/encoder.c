/* See encoder.h. */
#include "rewrite/encoder.h"

#include <brotli/encode.h>
#include <stdlib.h>
#include <zlib.h>
#define ZSTD_STATIC_LINKING_ONLY /* for ZSTD_createCCtx_advanced(), which every shared library has, too */
#include <zstd.h>

/* zlib takes 2^(bits + 2) and 2^(level + 9) bytes: 32 KiB in all. */
#define ZLIB_WINDOW_BITS 12
#define ZLIB_MEMORY_LEVEL 5
#define ZLIB_LEVEL 4
#define ZSTD_LEVEL 2
#define BR_QUALITY 3
#define WINDOW_BITS 14 /* of zstd and br */
/* All that br needs at this quality and window, of whatever it is fed. */
#define BR_MEMORY ((size_t)768 * 1024)

enum flush { GOES_ON, GIVES_ALL, ENDS };

struct encoder {
    struct filter filter;
    enum coding coding;
    struct coding_memory *memory;
    void *reserve; /* of br: see take_surely() */
    union {
        z_stream zlib;
        BrotliEncoderState *brotli;
        ZSTD_CCtx *zstd;
    } of;
    size_t fed; /* since all was given */
};

static void give(struct encoder *encoder, const char *out, size_t len) {
    if (len) encoder->filter.out(encoder->filter.out_ctx, view_of(out, len));
}

/* ---- the codings: each gives what comes of the bytes ---- */

static void encode_zlib(struct encoder *encoder, struct view bytes, enum flush flush) {
    static const int modes[] = {Z_NO_FLUSH, Z_SYNC_FLUSH, Z_FINISH};
    char out[2048];
    z_stream *zlib = &encoder->of.zlib;
    zlib->next_in = (unsigned char *)(uintptr_t)bytes.ptr;
    zlib->avail_in = (unsigned)bytes.len;
    do {
        zlib->next_out = (unsigned char *)out;
        zlib->avail_out = sizeof(out);
        deflate(zlib, modes[flush]);
        give(encoder, out, sizeof(out) - zlib->avail_out);
    } while (zlib->avail_out == 0);
}

static bool encode_brotli(struct encoder *encoder, struct view bytes, enum flush flush) {
    static const BrotliEncoderOperation modes[] = {BROTLI_OPERATION_PROCESS, BROTLI_OPERATION_FLUSH,
                                                   BROTLI_OPERATION_FINISH};
    const uint8_t *next_in = (const uint8_t *)bytes.ptr;
    size_t avail_in = bytes.len;
    do {
        char out[2048];
        uint8_t *next_out = (uint8_t *)out;
        size_t avail_out = sizeof(out);
        if (!BrotliEncoderCompressStream(encoder->of.brotli, modes[flush], &avail_in, &next_in, &avail_out,
                                         &next_out, NULL))
            return false;
        give(encoder, out, sizeof(out) - avail_out);
    } while (avail_in || BrotliEncoderHasMoreOutput(encoder->of.brotli));
    return true;
}

static bool encode_zstd(struct encoder *encoder, struct view bytes, enum flush flush) {
    static const ZSTD_EndDirective modes[] = {ZSTD_e_continue, ZSTD_e_flush, ZSTD_e_end};
    ZSTD_inBuffer in = {.src = bytes.ptr, .size = bytes.len};
    size_t left;
    do {
        char out[2048];
        ZSTD_outBuffer made = {.dst = out, .size = sizeof(out)};
        left = ZSTD_compressStream2(encoder->of.zstd, &made, &in, modes[flush]);
        if (ZSTD_isError(left)) return false;
        give(encoder, out, made.pos);
    } while (in.pos < in.size || (flush != GOES_ON && left > 0));
    return true;
}

static void encode(struct encoder *encoder, struct view bytes, enum flush flush) {
    if (encoder->filter.failed) return;
    switch (encoder->coding) {
    case CODING_BR: encoder->filter.failed = !encode_brotli(encoder, bytes, flush); break;
    case CODING_ZSTD: encoder->filter.failed = !encode_zstd(encoder, bytes, flush); break;
    default: encode_zlib(encoder, bytes, flush); break;
    }
    encoder->fed = flush == GOES_ON ? encoder->fed + bytes.len : 0;
}

/* ---- the filter ---- */

static void on_data(struct filter *filter, struct view bytes) {
    struct encoder *encoder = (struct encoder *)filter;
    bool waits = encoder->coding == CODING_BR && encoder->fed + bytes.len >= FILTER_BOUND;
    encode(encoder, bytes, waits ? GIVES_ALL : GOES_ON);
}

static void on_flush(struct filter *filter) {
    struct encoder *encoder = (struct encoder *)filter;
    if (encoder->fed) encode(encoder, VIEW(""), GIVES_ALL);
}

static void on_end(struct filter *filter) {
    encode((struct encoder *)filter, VIEW(""), ENDS);
}

/* What zlib and zstd hold of what they were fed cannot be known, but that they have no room for more. */
static size_t held(const struct filter *filter) {
    size_t fed = ((const struct encoder *)filter)->fed;
    return fed < FILTER_BOUND ? fed : FILTER_BOUND;
}

static void done(struct filter *filter) {
    struct encoder *encoder = (struct encoder *)filter;
    switch (encoder->coding) {
    case CODING_BR:
        if (encoder->of.brotli) BrotliEncoderDestroyInstance(encoder->of.brotli);
        coding_memory_give(encoder->memory, encoder->reserve);
        break;
    case CODING_ZSTD: ZSTD_freeCCtx(encoder->of.zstd); break;
    default: deflateEnd(&encoder->of.zlib); break;
    }
}

/* libbrotlienc ends the process when it gets no memory. So what it may need is set aside, and counted, before
 * it begins, and let go should there really be no other. */
static void *take_surely(void *ctx, size_t size) {
    struct encoder *encoder = ctx;
    void *memory = malloc(size);
    if (memory || !encoder->reserve) return memory;
    coding_memory_give(encoder->memory, encoder->reserve);
    encoder->reserve = NULL;
    return malloc(size);
}

static void give_back(void *ctx, void *memory) {
    (void)ctx;
    free(memory);
}

static bool begin_brotli(struct encoder *encoder) {
    encoder->reserve = coding_memory_take(encoder->memory, BR_MEMORY);
    if (!encoder->reserve) return false;
    BrotliEncoderState *brotli = BrotliEncoderCreateInstance(take_surely, give_back, encoder);
    encoder->of.brotli = brotli;
    return brotli && BrotliEncoderSetParameter(brotli, BROTLI_PARAM_QUALITY, BR_QUALITY) &&
           BrotliEncoderSetParameter(brotli, BROTLI_PARAM_LGWIN, WINDOW_BITS);
}

static bool begin_zstd(struct encoder *encoder) {
    static const struct {
        ZSTD_cParameter name;
        int value;
    } parameters[] = {{ZSTD_c_compressionLevel, ZSTD_LEVEL},
                      {ZSTD_c_windowLog, WINDOW_BITS},
                      {ZSTD_c_hashLog, WINDOW_BITS},
                      {ZSTD_c_chainLog, WINDOW_BITS}};
    ZSTD_CCtx *zstd =
        ZSTD_createCCtx_advanced((ZSTD_customMem){coding_memory_take, coding_memory_give, encoder->memory});
    encoder->of.zstd = zstd;
    if (!zstd) return false;
    for (size_t i = 0; i < sizeof(parameters) / sizeof(parameters[0]); i++)
        if (ZSTD_isError(ZSTD_CCtx_setParameter(zstd, parameters[i].name, parameters[i].value))) return false;
    return true;
}

static bool begin(struct encoder *encoder) {
    if (encoder->coding == CODING_BR) return begin_brotli(encoder);
    if (encoder->coding == CODING_ZSTD) return begin_zstd(encoder);
    int bits = ZLIB_WINDOW_BITS + (encoder->coding == CODING_GZIP ? 16 : 0);
    return deflateInit2(&encoder->of.zlib, ZLIB_LEVEL, Z_DEFLATED, bits, ZLIB_MEMORY_LEVEL,
                        Z_DEFAULT_STRATEGY) == Z_OK;
}

struct filter *encoder_filter_new(enum coding coding, struct coding_memory *memory, filter_out_fn out,
                                  void *out_ctx) {
    static const struct filter_ops ops = {
        .data = on_data, .end = on_end, .flush = on_flush, .held = held, .done = done};
    struct encoder *encoder = calloc(1, sizeof(*encoder));
    if (!encoder) return NULL;
    encoder->filter = (struct filter){.ops = &ops, .out = out, .out_ctx = out_ctx};
    encoder->coding = coding;
    encoder->memory = memory;
    if (begin(encoder)) return &encoder->filter;
    filter_free(&encoder->filter);
    return NULL;
}
