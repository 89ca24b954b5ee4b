/* See login.h. The two files are what a user could write by hand: login.yaml names the endpoint, and the file
 * beside it that holds the token. */
#include "login.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/regular_file.h"
#include "endpoint.h"
#include "failure.h"
#include "login_oidc.h"
#include "setup.h"
#include "token.h"
#include "user_dir.h"

#define KEY(letter) ((letter)-64) /* with Ctrl */

/* ---- the token ---- */

static size_t read_all(char *bytes, size_t size) {
    size_t len = 0;
    ssize_t got;
    while (len < size && (got = read(STDIN_FILENO, bytes + len, size - len)) != 0) {
        if (got > 0) len += (size_t)got;
        if (got < 0 && errno != EINTR) break;
    }
    return len;
}

/* One line, of which nothing is shown. The keys are read one by one, as a terminal's own editing ends at 4095
 * bytes; also Ctrl-C, so that the terminal is as before in any case. False: given up. */
static bool read_keys(char *bytes, size_t size, size_t *ret_len) {
    size_t len = 0;
    char key;
    while (read(STDIN_FILENO, &key, 1) == 1 && key != '\n' && key != '\r' && key != KEY('D')) {
        if (key == KEY('C') || key == KEY('Z') || key == KEY('\\')) return false;
        if (key == KEY('U'))
            len = 0;
        else if (key == '\b' || key == 0x7f)
            len -= len > 0;
        else if (len < size)
            bytes[len++] = key;
    }
    *ret_len = len;
    return true;
}

static bool read_unseen(char *bytes, size_t size, size_t *ret_len) {
    struct termios before, quiet;
    if (tcgetattr(STDIN_FILENO, &before) != 0) {
        *ret_len = read_all(bytes, size);
        return true;
    }
    quiet = before;
    quiet.c_lflag &= ~(tcflag_t)(ECHO | ICANON | ISIG);
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
    fputs("Token: ", stderr); /* from here on nothing typed is shown, or lost */
    bool good = read_keys(bytes, size, ret_len);
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
    fputc('\n', stderr);
    return good;
}

static bool get_token(const struct options *options, char text[TOKEN_MAX + 1]) {
    char bytes[TOKEN_MAX + 64], error[512];
    const char *wrong;
    struct token token = {.given = options->token, .path = options->token_file};
    if (options->token_command)
        return say_failure(
            "ttf login stores a token; a command that prints one stands in ttf.yaml (token-command)");
    if (options->token || options->token_file) {
        if (!token_refresh(&token, error, sizeof(error))) return say_failure("%s", error);
        return view_copy_to(view_from_cstr(token_text(&token)), text, TOKEN_MAX + 1);
    }
    size_t len;
    if (!read_unseen(bytes, sizeof(bytes), &len)) return false;
    if (token_take(view_of(bytes, len), text, &wrong)) return true;
    return say_failure("what standard input gave as token %s", wrong);
}

/* ---- both, stored ---- */

static bool store(const char *dir, const char *name, struct view content) {
    char *path = user_path(dir, name);
    bool good = path && file_replace(path, content);
    if (!good) say_failure("%s cannot be written: %s", path ? path : name, strerror(errno));
    free(path);
    return good;
}

/* A string in single quotes, as YAML has it. */
static void append_quoted(struct buf *out, const char *text) {
    buf_append_byte(out, '\'');
    for (; *text; text++) {
        if (*text == '\'') buf_append_byte(out, '\'');
        buf_append_byte(out, *text);
    }
    buf_append_byte(out, '\'');
}

/* Of an issuer's token the command is stored that renews it. */
static bool append_source(struct buf *login, bool is_renewed) {
    char command[4200];
    if (!is_renewed) return buf_printf(login, "\ntoken-file: %s\n", LOGIN_TOKEN_NAME);
    if (!login_oidc_command(command, sizeof(command))) return say_failure("where ttf is makes no command");
    buf_append_view(login, VIEW("\ntoken-command: "));
    append_quoted(login, command);
    return buf_append_byte(login, '\n');
}

static void forget_issuer(const char *dir) {
    char *path = user_path(dir, LOGIN_OIDC_NAME);
    if (path) unlink(path);
    free(path);
}

static bool store_both(const char *dir, const char *url, const char *token, bool is_renewed) {
    struct buf login, word;
    buf_init(&login, 16384);
    buf_init(&word, TOKEN_MAX + 2);
    buf_append_view(&login, VIEW("# written by ttf login\nendpoint: "));
    append_quoted(&login, url);
    buf_printf(&word, "%s\n", token);
    bool good = append_source(&login, is_renewed) && !login.failed && !word.failed &&
                store(dir, LOGIN_TOKEN_NAME, buf_view(&word)) &&
                store(dir, SETUP_LOGIN_NAME, buf_view(&login));
    buf_done(&login);
    buf_done(&word);
    return good;
}

int login_run(const struct options *options) {
    char error[512], token[TOKEN_MAX + 1];
    struct endpoint endpoint;
    const char *url = options->word_count ? options->words[0] : options->endpoint;
    if (!url) return say_failure("ttf login wants a gateway: ttf login wss://tunnel.example.com"), 2;
    if (!endpoint_parse(url, &endpoint, error, sizeof(error))) return say_failure("%s", error), 2;
    char *dir = user_dir("XDG_CONFIG_HOME", ".config");
    bool good = false;
    if (!dir)
        say_failure("there is no place to store it: neither XDG_CONFIG_HOME nor HOME is set");
    else if (!user_dir_prepare(dir, error, sizeof(error)))
        say_failure("%s", error);
    else
        good = (options->oidc ? login_oidc(options, dir, token) : get_token(options, token)) &&
               store_both(dir, url, token, options->oidc != NULL);
    if (good && !options->oidc) forget_issuer(dir);
    if (good) printf("Stored in %s; ttf uses %s where nothing else is said.\n", dir, endpoint.shown);
    free(dir);
    return good ? 0 : 1;
}
