/* libFuzzer target: what an authority of certificates says. Byte 0 says what the rest is: a directory, an
 * order, an authorization, a problem, a chain, a record of the store that is said to be sealed, another
 * gateway's certificate with its key, or a file of an account. What is taken can stand in the next question,
 * and in the log, as it is. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "acme/acme_answer.h"
#include "acme/acme_files.h"
#include "acme/acme_seal.h"
#include "fuzz.h"

#define NAME VIEW("a.example")

static char folder[] = "/tmp/fuzz_acme.XXXXXX";

static void remove_folder(void) {
    char path[80];
    acme_files_remove(folder, NAME);
    snprintf(path, sizeof(path), "%s/account.key", folder);
    unlink(path);
    rmdir(folder);
}

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
    require(acme_retry_after_ms(text) % 1000 == 0);
}

/* Taken only if it is of our key and for the name; a key may stand in the same text, and is ours then. */
static void read_chain(struct view text) {
    static EVP_PKEY *made;
    const struct view names[] = {NAME};
    char why[ACME_WHY_MAX] = "";
    int64_t begin_s, end_s;
    EVP_PKEY *key = text.len ? acme_key_parse(text) : NULL;
    if (!made) made = acme_key_new();
    acme_files_remove(folder, NAME);
    bool ok = acme_files_put(folder, names, 1, text, key ? key : made, why);
    require(ok ? key && acme_files_dates(folder, names, 1, &begin_s, &end_s) : why[0] != 0);
    require(!acme_files_put("/nowhere", names, 1, text, made, why));
    EVP_PKEY_free(key);
}

static void on_name(void *ctx, struct view name) {
    *(size_t *)ctx += view_eq(name, NAME);
}

/* What is adopted can be read again, and is not new a second time. */
static void read_pair(struct view text) {
    struct buf back;
    char why[ACME_WHY_MAX] = "";
    int64_t begin_s, end_s;
    size_t count = 0;
    bool is_new, again;
    const struct view name = NAME;
    acme_files_remove(folder, name);
    bool ok = acme_files_adopt(folder, name, text, &is_new, why);
    require(ok ? is_new : why[0] != 0);
    acme_files_list(folder, on_name, &count);
    require(count == ok);
    if (!ok) return;
    buf_init(&back, 2 << 20);
    require(acme_files_read(folder, name, &back) && view_eq(buf_view(&back), text));
    require(acme_files_dates(folder, &name, 1, &begin_s, &end_s));
    require(acme_files_adopt(folder, name, text, &again, why) && !again);
    buf_done(&back);
}

static void read_account(struct view text) {
    char path[80], why[ACME_WHY_MAX] = "";
    snprintf(path, sizeof(path), "%s/account.key", folder);
    unlink(path);
    if (text.len) { /* else one is made */
        FILE *file = fopen(path, "w");
        require(file && fwrite(text.ptr, 1, text.len, file) == text.len && fclose(file) == 0);
    }
    EVP_PKEY *key = acme_files_account(folder, why);
    require(key || (text.len && why[0]));
    EVP_PKEY_free(key);
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
    static void (*const readers[])(struct view) = {read_directory, read_order,  read_authorization,
                                                   read_problem,   read_chain,  read_record,
                                                   read_pair,      read_account};
    if (size == 0) return 0;
    if (folder[sizeof(folder) - 2] == 'X') {
        require(mkdtemp(folder) != NULL && acme_files_prepare(folder));
        atexit(remove_folder);
    }
    char *copy = exact_copy(view_of(data + 1, size - 1));
    readers[(uint8_t)(data[0] - '0') % (sizeof(readers) / sizeof(readers[0]))](view_of(copy, size - 1));
    free(copy);
    return 0;
}
