/* A bare socket, with OpenSSL on it over TLS: what no client can go below. The whole request is made once, and of the
   answer only its status and its Content-Length are read. No deadline. */

#define _GNU_SOURCE
#include "harness.h"
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int connection;
static SSL *tls;
static char request[1024];
static int request_length;

static int put(const char *data, int length) {
  return tls ? SSL_write(tls, data, length) : (int)write(connection, data, length);
}

static int get(char *room, int length) {
  return tls ? SSL_read(tls, room, length) : (int)read(connection, room, length);
}

static void send_one(void) {
  char answer[8192];
  int length = 0, whole = sizeof answer;
  require(put(request, request_length) == request_length, "the request was not written");
  while (length < whole) {
    int more = get(answer + length, sizeof answer - 1 - length);
    require(more > 0, "the answer was cut off");
    answer[length += more] = '\0';
    char *end_of_head = strstr(answer, "\r\n\r\n"), *field = strcasestr(answer, "\r\nContent-Length:");
    if (end_of_head && field) whole = (int)(end_of_head + 4 - answer) + atoi(field + 17);
  }
  require(strncmp(answer, "HTTP/1.1 201", 12) == 0, answer);
}

int main(void) {
  int port = 0;
  char path[128] = "";
  require(sscanf(base_url(), "%*[a-z]://127.0.0.1:%d%127s", &port, path) == 2, "UE_BASE_URL is not on 127.0.0.1");
  request_length = snprintf(request, sizeof request,
                            "POST %s" PATH
                            " HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nAuthorization: Token %s\r\n"
                            "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n" BODY,
                            path, port, api_key(), strlen(BODY));

  struct sockaddr_in address = {
      .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  connection = socket(AF_INET, SOCK_STREAM, 0);
  require(connect(connection, (struct sockaddr *)&address, sizeof address) == 0, "no connection");
  setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
  if (ca_file()) {
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    require(SSL_CTX_load_verify_locations(context, ca_file(), NULL), "the CA file cannot be read");
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    tls = SSL_new(context);
    SSL_set1_host(tls, "127.0.0.1");
    SSL_set_fd(tls, connection);
    require(SSL_connect(tls) == 1, "no TLS");
  }
  return take_turns(send_one);
}
