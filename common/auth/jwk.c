/* See jwk.h. */
#include "auth/jwk.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <stdlib.h>

#include "base/base64.h"

enum { RSA_BITS_MIN = 2048, EXPONENT_BITS_MAX = 64, POINT_BYTES_MAX = 66 };

#define MASK(alg) (1u << (alg))

static enum jwk_verdict malformed(const char **ret_why, const char *why) {
    *ret_why = why;
    return JWK_MALFORMED;
}

/* ---- members ---- */

/* The absent view where it is missing or no text. */
static struct view text_of(const json_t *json, const char *name) {
    const json_t *value = json_object_get(json, name);
    return json_is_string(value) ? view_of(json_string_value(value), json_string_length(value))
                                 : (struct view){0};
}

static bool is_absent_or_text(const json_t *json, const char *name) {
    const json_t *value = json_object_get(json, name);
    return !value || json_is_string(value);
}

struct bytes {
    unsigned char at[JWK_BYTES_MAX + 3];
    size_t len;
};

/* base64url; false where it is missing, empty, malformed or too long. */
static bool bytes_of(const json_t *json, const char *name, struct bytes *ret_bytes) {
    struct view text = text_of(json, name);
    return text.len <= base64_encoded_len(JWK_BYTES_MAX) &&
           base64url_decode(text, (char *)ret_bytes->at, &ret_bytes->len) && ret_bytes->len > 0 &&
           ret_bytes->len <= JWK_BYTES_MAX;
}

/* ---- public keys, through OpenSSL ---- */

static EVP_PKEY *make_public(const char *type, OSSL_PARAM_BLD *builder) {
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(builder);
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    EVP_PKEY *key = NULL;
    if (params && context && EVP_PKEY_fromdata_init(context) == 1)
        EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, params);
    EVP_PKEY_CTX_free(context);
    OSSL_PARAM_free(params);
    return key;
}

static bool keep(struct jwk *key, const void *material, size_t len) {
    key->material = malloc(len);
    if (!key->material) return false;
    memcpy(key->material, material, len);
    key->len = len;
    return true;
}

/* Takes `pkey`. */
static bool keep_pem(struct jwk *key, EVP_PKEY *pkey) {
    BIO *bio = BIO_new(BIO_s_mem());
    char *text = NULL;
    bool kept = pkey && bio && PEM_write_bio_PUBKEY(bio, pkey) == 1;
    if (kept) {
        long len = BIO_get_mem_data(bio, &text);
        kept = len > 0 && keep(key, text, (size_t)len);
    }
    BIO_free(bio);
    EVP_PKEY_free(pkey);
    ERR_clear_error(); /* what stays in the queue would be taken for an error of the next TLS call */
    return kept;
}

static const char *judge_rsa(const BIGNUM *modulus, const BIGNUM *exponent) {
    if (BN_num_bits(modulus) < RSA_BITS_MIN) return "its n has fewer than 2048 bits";
    if (!BN_is_odd(modulus)) return "its n is no modulus";
    bool weak = !BN_is_odd(exponent) || BN_is_one(exponent) || BN_num_bits(exponent) > EXPONENT_BITS_MAX;
    return weak ? "its e is no exponent" : NULL;
}

static enum jwk_verdict read_rsa(const json_t *json, struct jwk *key, const char **ret_why) {
    struct bytes n, e;
    if (!bytes_of(json, "n", &n)) return malformed(ret_why, "its n is missing, or no base64url of a number");
    if (!bytes_of(json, "e", &e)) return malformed(ret_why, "its e is missing, or no base64url of a number");
    BIGNUM *modulus = BN_bin2bn(n.at, (int)n.len, NULL), *exponent = BN_bin2bn(e.at, (int)e.len, NULL);
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    const char *why = "out of memory";
    if (modulus && exponent && builder) why = judge_rsa(modulus, exponent);
    if (!why) {
        bool made = OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, modulus) == 1 &&
                    OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, exponent) == 1 &&
                    keep_pem(key, make_public("RSA", builder));
        if (!made) why = "it is no RSA key";
    }
    OSSL_PARAM_BLD_free(builder);
    BN_free(modulus);
    BN_free(exponent);
    key->algs = MASK(JWS_RS256) | MASK(JWS_RS384) | MASK(JWS_RS512) | MASK(JWS_PS256) | MASK(JWS_PS384) |
                MASK(JWS_PS512);
    return why ? malformed(ret_why, why) : JWK_USABLE;
}

struct curve {
    const char *name, *group;
    size_t len; /* of a coordinate */
    enum jws_alg alg;
};

static const struct curve *curve_of(struct view name) {
    static const struct curve curves[] = {{"P-256", "prime256v1", 32, JWS_ES256},
                                          {"P-384", "secp384r1", 48, JWS_ES384},
                                          {"P-521", "secp521r1", POINT_BYTES_MAX, JWS_ES512}};
    for (size_t i = 0; i < sizeof(curves) / sizeof(curves[0]); i++)
        if (view_eq(name, view_from_cstr(curves[i].name))) return &curves[i];
    return NULL;
}

/* NULL where the point is not on the curve. */
static EVP_PKEY *make_ec(const struct curve *curve, const struct bytes *x, const struct bytes *y) {
    unsigned char point[1 + 2 * POINT_BYTES_MAX] = {POINT_CONVERSION_UNCOMPRESSED};
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    EVP_PKEY *key = NULL;
    memcpy(point + 1, x->at, curve->len);
    memcpy(point + 1 + curve->len, y->at, curve->len);
    if (builder &&
        OSSL_PARAM_BLD_push_utf8_string(builder, OSSL_PKEY_PARAM_GROUP_NAME, curve->group, 0) == 1 &&
        OSSL_PARAM_BLD_push_octet_string(builder, OSSL_PKEY_PARAM_PUB_KEY, point, 1 + 2 * curve->len) == 1)
        key = make_public("EC", builder);
    OSSL_PARAM_BLD_free(builder);
    EVP_PKEY_CTX *context = key ? EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL) : NULL;
    bool good = context && EVP_PKEY_public_check(context) == 1;
    EVP_PKEY_CTX_free(context);
    if (good) return key;
    EVP_PKEY_free(key);
    return NULL;
}

static enum jwk_verdict read_ec(const json_t *json, struct jwk *key, const char **ret_why) {
    struct view crv = text_of(json, "crv");
    const struct curve *curve = curve_of(crv);
    struct bytes x, y;
    if (!crv.ptr) return malformed(ret_why, "its crv is missing, or no text");
    if (!curve) return JWK_OTHER;
    if (!bytes_of(json, "x", &x) || x.len != curve->len)
        return malformed(ret_why, "its x is missing, or no base64url of the curve's length");
    if (!bytes_of(json, "y", &y) || y.len != curve->len)
        return malformed(ret_why, "its y is missing, or no base64url of the curve's length");
    if (!keep_pem(key, make_ec(curve, &x, &y))) return malformed(ret_why, "its point is not on its curve");
    key->algs = MASK(curve->alg);
    return JWK_USABLE;
}

/* RFC 8037 2. */
static enum jwk_verdict read_okp(const json_t *json, struct jwk *key, const char **ret_why) {
    struct view crv = text_of(json, "crv");
    bool is_short = view_eq(crv, VIEW("Ed25519"));
    struct bytes x;
    if (!crv.ptr) return malformed(ret_why, "its crv is missing, or no text");
    if (!is_short && !view_eq(crv, VIEW("Ed448"))) return JWK_OTHER;
    if (!bytes_of(json, "x", &x) || x.len != (is_short ? 32 : 57))
        return malformed(ret_why, "its x is missing, or no base64url of the curve's length");
    const char *type = is_short ? "ED25519" : "ED448";
    if (!keep_pem(key, EVP_PKEY_new_raw_public_key_ex(NULL, type, NULL, x.at, x.len)))
        return malformed(ret_why, "its x is no key");
    key->algs = MASK(JWS_EDDSA);
    return JWK_USABLE;
}

/* No shorter than the hash (RFC 7518 3.2). */
static enum jwk_verdict read_oct(const json_t *json, struct jwk *key, const char **ret_why) {
    struct bytes k;
    const char *why = NULL;
    if (!bytes_of(json, "k", &k))
        why = "its k is missing, or no base64url";
    else if (k.len < 32)
        why = "its k has fewer than 32 bytes";
    else if (!keep(key, k.at, k.len))
        why = "out of memory";
    else
        key->algs =
            MASK(JWS_HS256) | (k.len >= 48 ? MASK(JWS_HS384) : 0) | (k.len >= 64 ? MASK(JWS_HS512) : 0);
    explicit_bzero(&k, sizeof(k));
    return why ? malformed(ret_why, why) : JWK_USABLE;
}

/* ---- the key ---- */

static bool names_verify(const json_t *operations) {
    for (size_t i = 0; i < json_array_size(operations); i++) {
        const char *name = json_string_value(json_array_get(operations, i));
        if (name && strcmp(name, "verify") == 0) return true;
    }
    return false;
}

/* Members of a wrong type say nothing of what they mean. */
static const char *judge_members(const json_t *json) {
    const json_t *operations = json_object_get(json, "key_ops");
    if (!json_is_object(json)) return "it is no object";
    if (!is_absent_or_text(json, "kid") || text_of(json, "kid").len > JWK_KID_MAX)
        return "its kid is no text, or too long";
    if (!text_of(json, "kty").ptr) return "its kty is missing, or no text";
    if (!is_absent_or_text(json, "use")) return "its use is no text";
    if (!is_absent_or_text(json, "alg")) return "its alg is no text";
    if (operations && !json_is_array(operations)) return "its key_ops are no list";
    return NULL;
}

static enum jwk_verdict read_material(const json_t *json, struct jwk *key, const char **ret_why) {
    struct view kty = text_of(json, "kty");
    if (view_eq(kty, VIEW("RSA"))) return read_rsa(json, key, ret_why);
    if (view_eq(kty, VIEW("EC"))) return read_ec(json, key, ret_why);
    if (view_eq(kty, VIEW("OKP"))) return read_okp(json, key, ret_why);
    if (view_eq(kty, VIEW("oct"))) return read_oct(json, key, ret_why);
    return JWK_OTHER;
}

static bool is_for_signatures(const json_t *json) {
    struct view use = text_of(json, "use");
    const json_t *operations = json_object_get(json, "key_ops");
    return (!use.ptr || view_eq(use, VIEW("sig"))) && (!operations || names_verify(operations));
}

/* All that its kty allows, or the one that it names. */
static enum jwk_verdict pin(const json_t *json, struct jwk *key, const char **ret_why) {
    struct view name = text_of(json, "alg");
    enum jws_alg alg;
    if (!name.ptr) return JWK_USABLE;
    if (!jws_alg_parse(name, &alg)) return JWK_OTHER;
    key->algs &= MASK(alg);
    return key->algs ? JWK_USABLE : malformed(ret_why, "its alg does not go with its kty, crv or length");
}

static bool keep_kid(const json_t *json, struct jwk *key) {
    struct view kid = text_of(json, "kid");
    if (!kid.ptr) return true;
    key->kid = view_to_cstr(kid);
    return key->kid != NULL;
}

enum jwk_verdict jwk_read(const json_t *json, struct jwk *ret_key, const char **ret_why) {
    const char *why = judge_members(json);
    *ret_key = (struct jwk){.kid = NULL};
    if (why) return malformed(ret_why, why);
    enum jwk_verdict verdict = is_for_signatures(json) ? read_material(json, ret_key, ret_why) : JWK_OTHER;
    if (verdict == JWK_USABLE) verdict = pin(json, ret_key, ret_why);
    if (verdict == JWK_USABLE && !keep_kid(json, ret_key)) verdict = malformed(ret_why, "out of memory");
    if (verdict != JWK_USABLE) jwk_done(ret_key);
    return verdict;
}

void jwk_done(struct jwk *key) {
    if (key->material) explicit_bzero(key->material, key->len);
    free(key->material);
    free(key->kid);
    *key = (struct jwk){.kid = NULL};
}
