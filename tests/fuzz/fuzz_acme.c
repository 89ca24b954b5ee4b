/* libFuzzer target: what an authority of certificates says. Byte 0 says what the rest is: a directory, an
 * order, an authorization, a problem, a chain, or a record of the store that is said to be sealed. What is
 * taken can stand in the next question, and in the log, as it is. */
#include "acme/acme_answer.h"
#include "acme/acme_files.h"
#include "acme/acme_seal.h"
#include "fuzz.h"

static void check_url(const char *url, bool may_be_empty) {
    require((may_be_empty && !url[0]) || acme_url_is_good(view_from_cstr(url)));
}

static void check_problem(const struct acme_problem *problem) {
    require(strlen(problem->type) < sizeof(problem->type));
    require(strlen(problem->detail) < sizeof(problem->detail));
}

static void read_directory(struct view text) {
    struct acme_directory directory;
    if (!acme_directory_parse(text, &directory)) return;
    check_url(directory.new_nonce, false);
    check_url(directory.new_account, false);
    check_url(directory.new_order, false);
}

static void read_order(struct view text) {
    struct acme_order_word order;
    if (!acme_order_parse(text, &order)) return;
    require(order.count > 0 && order.count <= ACME_NAMES_MAX);
    for (size_t i = 0; i < order.count; i++) check_url(order.authorizations[i], false);
    check_url(order.finalize, false);
    check_url(order.certificate, order.state != ACME_VALID);
    check_problem(&order.problem);
}

static void read_authorization(struct view text) {
    struct acme_authorization authorization;
    if (!acme_authorization_parse(text, &authorization)) return;
    for (int way = 0; way < ACME_WAYS; way++) {
        const struct acme_challenge *challenge = &authorization.challenges[way];
        check_url(challenge->url, true);
        if (challenge->url[0]) require(acme_word_is_good(view_from_cstr(challenge->token), ACME_TOKEN_MAX));
    }
    check_problem(&authorization.problem);
}

static void read_problem(struct view text) {
    struct acme_problem problem;
    acme_problem_parse(text, &problem);
    check_problem(&problem);
}

/* It cannot be of our key. */
static void read_chain(struct view text) {
    static EVP_PKEY *key;
    const struct view name = VIEW("a.example");
    char why[ACME_WHY_MAX] = "";
    if (!key) key = acme_key_new();
    require(!acme_files_put("/nowhere", &name, 1, text, key, why) && why[0]);
}

/* Nobody has the key; and what we seal is not good elsewhere, nor changed. */
static void read_record(struct view text) {
    static const unsigned char key[SECRET_LEN] = {1};
    struct buf sealed, opened;
    buf_init(&sealed, 1 << 20);
    buf_init(&opened, 1 << 20);
    require(!acme_unseal(key, VIEW("a"), text, &opened) && opened.len == 0);
    require(acme_seal(key, VIEW("a"), text, &sealed) && sealed.len == text.len + ACME_SEAL_MORE);
    require(!acme_unseal(key, VIEW("b"), buf_view(&sealed), &opened) && opened.len == 0);
    require(acme_unseal(key, VIEW("a"), buf_view(&sealed), &opened) && view_eq(buf_view(&opened), text));
    buf_done(&sealed);
    buf_done(&opened);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static void (*const readers[])(struct view) = {read_directory, read_order, read_authorization,
                                                   read_problem,   read_chain, read_record};
    if (size == 0) return 0;
    char *copy = exact_copy(view_of(data + 1, size - 1));
    readers[(uint8_t)(data[0] - '0') % (sizeof(readers) / sizeof(readers[0]))](view_of(copy, size - 1));
    free(copy);
    return 0;
}
