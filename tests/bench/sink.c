/* Where uploads go: an HTTP/1.1 server that reads each request's body, throws it away without copying it out
 * of the kernel, and answers 200 only when all of it has come. At /sha256 it answers with that of the body
 * instead. A thread a connection. `sink` listens on a port of the kernel's choice on 127.0.0.1 and says
 * which. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEAD_MAX ((size_t)64 * 1024)
#define PIECE ((size_t)4 * 1024 * 1024)

static const char answer[] =
    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\nHello, World!";
static const char no_length[] =
    "HTTP/1.1 411 Length Required\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

/* -1: chunked, which nobody who is measured sends. */
static int64_t length_of(const char *head) {
    if (strcasestr(head, "\r\ntransfer-encoding:")) return -1;
    const char *field = strcasestr(head, "\r\ncontent-length:");
    return field ? atoll(field + strlen("\r\ncontent-length:")) : 0;
}

static int discard(int fd, int64_t left) {
    while (left > 0) {
        size_t most = left < (int64_t)PIECE ? (size_t)left : PIECE;
        ssize_t len = recv(fd, NULL, most, MSG_TRUNC);
        if (len <= 0) return -1;
        left -= len;
    }
    return 0;
}

static void hash_here(EVP_MD_CTX *hash, const void *bytes, size_t len) {
    if (hash) EVP_DigestUpdate(hash, bytes, len);
}

static int hash_rest(int fd, EVP_MD_CTX *hash, int64_t left) {
    static _Thread_local char piece[256 * 1024];
    while (left > 0) {
        ssize_t len = recv(fd, piece, left < (int64_t)sizeof(piece) ? (size_t)left : sizeof(piece), 0);
        if (len <= 0) return -1;
        EVP_DigestUpdate(hash, piece, (size_t)len);
        left -= len;
    }
    return 0;
}

static int answer_hash(int fd, EVP_MD_CTX *hash) {
    unsigned char digest[32];
    char text[256];
    EVP_DigestFinal_ex(hash, digest, NULL);
    int len = snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\nContent-Length: 64\r\n\r\n");
    for (size_t i = 0; i < sizeof(digest); i++) len += sprintf(text + len, "%02x", digest[i]);
    return send(fd, text, (size_t)len, MSG_NOSIGNAL) > 0 ? 0 : -1;
}

/* Reads and answers one request; bytes behind it stay at the front of `bytes`. */
static int serve_one(int fd, char *bytes, size_t *len) {
    char *end;
    bytes[*len] = 0;
    while (!(end = strstr(bytes, "\r\n\r\n"))) {
        ssize_t more = *len < HEAD_MAX ? recv(fd, bytes + *len, HEAD_MAX - *len, 0) : 0;
        if (more <= 0) return -1;
        *len += (size_t)more;
        bytes[*len] = 0;
    }
    end[2] = 0;
    int64_t body = length_of(bytes);
    if (body < 0) {
        send(fd, no_length, sizeof(no_length) - 1, MSG_NOSIGNAL);
        return -1;
    }
    int64_t here = (int64_t)(*len - (size_t)(end + 4 - bytes)), used = here < body ? here : body;
    EVP_MD_CTX *hash = strstr(bytes, " /sha256") ? EVP_MD_CTX_new() : NULL;
    if (hash) EVP_DigestInit_ex(hash, EVP_sha256(), NULL);
    hash_here(hash, end + 4, (size_t)used);
    *len = (size_t)(here - used);
    memmove(bytes, end + 4 + used, *len);
    int status = hash ? hash_rest(fd, hash, body - used) : discard(fd, body - used);
    if (hash && status == 0) {
        status = answer_hash(fd, hash);
        EVP_MD_CTX_free(hash);
        return status;
    }
    EVP_MD_CTX_free(hash);
    if (status != 0) return -1;
    return send(fd, answer, sizeof(answer) - 1, MSG_NOSIGNAL) > 0 ? 0 : -1;
}

static void *serve(void *ctx) {
    int fd = (int)(intptr_t)ctx, yes = 1;
    size_t len = 0;
    char *bytes = malloc(HEAD_MAX + 1);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
    while (bytes && serve_one(fd, bytes, &len) == 0) continue;
    free(bytes);
    close(fd);
    return NULL;
}

int main(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), fd;
    if (bind(listener, (struct sockaddr *)&address, size) != 0 || listen(listener, 4096) != 0 ||
        getsockname(listener, (struct sockaddr *)&address, &size) != 0) {
        perror("sink");
        return 1;
    }
    printf("port %u\n", ntohs(address.sin_port));
    fflush(stdout);
    while ((fd = accept(listener, NULL, NULL)) >= 0) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, serve, (void *)(intptr_t)fd) == 0)
            pthread_detach(thread);
        else
            close(fd);
    }
    return 1;
}
