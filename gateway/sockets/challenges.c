/* See challenges.h. */
#include "sockets/challenges.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>

struct challenge {
    struct list node;
    char *name, *token, *text; /* a text: token and text, else NULL */
    X509 *certificate;
    EVP_PKEY *key;
};

static void challenge_free(struct challenge *challenge) {
    list_remove(&challenge->node);
    free(challenge->name);
    free(challenge->token);
    free(challenge->text);
    X509_free(challenge->certificate);
    EVP_PKEY_free(challenge->key);
    free(challenge);
}

void challenges_init(struct challenges *challenges) {
    *challenges = (struct challenges){0};
    list_init(&challenges->pending);
}

void challenges_done(struct challenges *challenges) {
    while (challenges->pending.next && !list_empty(&challenges->pending))
        challenge_free(LIST_ENTRY(challenges->pending.next, struct challenge, node));
}

static struct challenge *add(struct challenges *challenges, struct view name) {
    struct challenge *challenge = name.len <= CHALLENGE_NAME_MAX ? calloc(1, sizeof(*challenge)) : NULL;
    if (!challenge) return NULL;
    challenge->name = view_to_cstr(name);
    list_append(&challenges->pending, &challenge->node);
    return challenge;
}

bool challenges_add_text(struct challenges *challenges, struct view name, struct view token,
                         struct view text) {
    struct challenge *challenge = add(challenges, name);
    if (!challenge) return false;
    challenge->token = view_to_cstr(token);
    challenge->text = view_to_cstr(text);
    if (challenge->name && challenge->token && challenge->text) return true;
    challenge_free(challenge);
    return false;
}

bool challenges_add_certificate(struct challenges *challenges, struct view name, X509 *certificate,
                                EVP_PKEY *key) {
    struct challenge *challenge = add(challenges, name);
    if (!challenge) {
        X509_free(certificate);
        EVP_PKEY_free(key);
        return false;
    }
    challenge->certificate = certificate;
    challenge->key = key;
    if (challenge->name) return true;
    challenge_free(challenge);
    return false;
}

static bool is_of(const struct challenge *challenge, struct view name) {
    return view_eq_nocase(view_from_cstr(challenge->name), name);
}

void challenges_remove(struct challenges *challenges, struct view name) {
    struct list *node = challenges->pending.next;
    while (node != &challenges->pending) {
        struct challenge *challenge = LIST_ENTRY(node, struct challenge, node);
        node = node->next;
        if (is_of(challenge, name)) challenge_free(challenge);
    }
}

struct view challenges_text(const struct challenges *challenges, struct view name, struct view token) {
    for (struct list *node = challenges->pending.next; node != &challenges->pending; node = node->next) {
        struct challenge *challenge = LIST_ENTRY(node, struct challenge, node);
        if (challenge->token && view_eq(view_from_cstr(challenge->token), token) && is_of(challenge, name))
            return view_from_cstr(challenge->text);
    }
    return (struct view){0};
}

int challenges_use(const struct challenges *challenges, const char *name, SSL *tls) {
    for (struct list *node = challenges->pending.next; name && node != &challenges->pending;
         node = node->next) {
        struct challenge *challenge = LIST_ENTRY(node, struct challenge, node);
        if (challenge->certificate && is_of(challenge, view_from_cstr(name)))
            return SSL_use_cert_and_key(tls, challenge->certificate, challenge->key, NULL, 1);
    }
    return 0;
}
