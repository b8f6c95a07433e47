/* How soon a message in a queue ends that is cancelled: `cancel TIMES`. Brings it TIMES into each state in which it can be,
   with ue_queue_cancel and with ue_cancel_trigger each, and prints a line for both: the state, "queue" or "handle", and
   the microseconds of each time from the call until the queue's descriptor is readable. What its peer has seen and what the
   result says prove which state it was in. A time where they say something else does not count: the queue's thread had not
   come that far, and is given longer. */

#include <userengage.h>
#include "harness.h"
#include <arpa/inet.h>
#include <netdb.h>
#include <poll.h>
#include <semaphore.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LONG = 8 << 20, SMALL_BUFFER = 4096, SETTLED_MS = 2, PATIENCE_MS = 10000 };

static sem_t asked_resolver, let_go_resolver;
static char *content;
static int listener, peer, filler;
static ue_queue *queue;
static char of_first, of_second; /* their addresses are user_data */

/* Stands before that of the C library, also for the library under test: a resolver that does not answer until told to. */
int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **found) {
  (void)node, (void)service, (void)hints, (void)found;
  sem_post(&asked_resolver);
  sem_wait(&let_go_resolver);
  return EAI_FAIL;
}

static void push(const char *client_user_id, char *user_data, ue_cancel *cancel) {
  ue_message message = UE_MESSAGE_INIT;
  message.client_user_id = client_user_id;
  message.content = content;
  message.user_data = user_data;
  message.cancel = cancel;
  require(ue_queue_push(queue, &message, NULL) == UE_OK, "a message is refused");
}

static void accept_some(size_t bytes) {
  char room[4096];
  peer = accept(listener, NULL, NULL);
  require(peer >= 0, "no connection comes");
  require(bytes <= sizeof room && recv(peer, room, bytes, 0) > 0, "nothing comes over the connection");
}

static void answer_with(const char *text) {
  require(write(peer, text, strlen(text)) == (ssize_t)strlen(text), "write");
}

static int readable(int timeout_ms) {
  struct pollfd finished = {.fd = ue_queue_fd(queue), .events = POLLIN};
  return poll(&finished, 1, timeout_ms) == 1;
}

static ue_result *take(void) {
  ue_result *result = NULL;
  require(readable(PATIENCE_MS) && ue_queue_take(queue, &result, 1) == 1, "no result comes");
  return result;
}

/* The ways into each state: what is pushed with user_data &of_second is in it when they return. */

static void into_dns(ue_cancel *cancel) {
  push("2", &of_second, cancel);
  sem_wait(&asked_resolver);
}

/* The kernel drops what would connect while the one place in the backlog is taken. */
static void into_connect(ue_cancel *cancel) {
  struct sockaddr_in address;
  socklen_t length = sizeof address;
  getsockname(listener, (struct sockaddr *)&address, &length);
  require(listen(listener, 0) == 0, "listen");
  filler = socket(AF_INET, SOCK_STREAM, 0);
  require(connect(filler, (struct sockaddr *)&address, length) == 0, "no connection that takes the one place");
  push("2", &of_second, cancel);
}

static void into_handshake(ue_cancel *cancel) {
  push("2", &of_second, cancel);
  accept_some(100); /* of the ClientHello */
}

/* The content is longer than all buffers on the way. */
static void into_write(ue_cancel *cancel) {
  content[1] = 'x';
  push("2", &of_second, cancel);
  content[1] = '\0';
  accept_some(1);
}

static void into_read(ue_cancel *cancel) {
  push("2", &of_second, cancel);
  accept_some(4096);
}

/* The first message takes the turn of a second. */
static void into_turn(ue_cancel *cancel) {
  push("1", &of_first, NULL);
  accept_some(4096);
  answer_with("HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n");
  ue_result *first = take();
  require(ue_result_status(first) == UE_OK, ue_result_message(first));
  ue_result_free(first);
  push("2", &of_second, cancel);
}

static void into_retry(ue_cancel *cancel) {
  push("2", &of_second, cancel);
  accept_some(4096);
  answer_with("HTTP/1.1 425 Too Early\r\nRetry-After: 9\r\nContent-Length: 0\r\n\r\n");
}

/* The first message has the one connection. */
static void into_queue(ue_cancel *cancel) {
  push("1", &of_first, NULL);
  accept_some(4096);
  push("2", &of_second, cancel);
}

static const struct state {
  const char *name, *url;
  void (*into)(ue_cancel *cancel);
  ue_delivery delivery;
  uint32_t requests; /* begun */
  uint32_t max_per_second;
  int handle; /* ends it, too: that of a message whose turn in the queue has not come does not */
} states[] = {
    {"dns", "https://host.invalid:%d/", into_dns, UE_NOT_DELIVERED, 1, 0, 1},
    {"connect", "http://127.0.0.1:%d/", into_connect, UE_NOT_DELIVERED, 1, 0, 1},
    {"handshake", "https://127.0.0.1:%d/", into_handshake, UE_NOT_DELIVERED, 1, 0, 1},
    {"write", "http://127.0.0.1:%d/", into_write, UE_NOT_DELIVERED, 1, 0, 1},
    {"read", "http://127.0.0.1:%d/", into_read, UE_DELIVERY_UNKNOWN, 1, 0, 1},
    {"turn", "http://127.0.0.1:%d/", into_turn, UE_NOT_DELIVERED, 0, 1, 1},
    {"retry", "http://127.0.0.1:%d/", into_retry, UE_NOT_DELIVERED, 1, 0, 1},
    {"queue", "http://127.0.0.1:%d/", into_queue, UE_NOT_DELIVERED, 0, 0, 0},
};

/* Returns its port. Its small buffer is for into_write. */
static int listen_anew(void) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof address;
  listener = socket(AF_INET, SOCK_STREAM, 0);
  setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &(int){SMALL_BUFFER}, sizeof(int));
  require(bind(listener, (struct sockaddr *)&address, length) == 0 && listen(listener, 16) == 0, "no listener");
  getsockname(listener, (struct sockaddr *)&address, &length);
  return ntohs(address.sin_port);
}

static long long now(void) {
  struct moment moment;
  look(&moment);
  return moment.wall;
}

/* The microseconds that it takes to end a message in this state, so long after it was brought there; -1 if it was not in
   it. */
static long long cancel_in(const struct state *state, int by_handle, int settled_ms) {
  char url[64];
  snprintf(url, sizeof url, state->url, listen_anew());
  ue_options options = UE_OPTIONS_INIT;
  options.base_url = url;
  options.proxy = "";
  options.max_connections = 1;
  options.max_per_second = state->max_per_second;
  ue_client *client = ue_client_new("bench", &options, NULL);
  queue = client ? ue_queue_new(client, NULL, NULL) : NULL;
  ue_cancel *cancel = ue_cancel_new(NULL);
  require(queue != NULL && cancel != NULL, "no queue, or no cancel handle");
  peer = filler = -1;

  state->into(cancel);
  require(!readable(settled_ms), "it ended before it was cancelled");
  long long asked = now();
  if (by_handle)
    ue_cancel_trigger(cancel);
  else
    require(ue_queue_cancel(queue, &of_second) == 1, "there is nothing to cancel");
  require(readable(PATIENCE_MS), "it does not end");
  long long ended = now();

  ue_result *result = take();
  require(ue_result_status(result) == UE_CANCELLED && ue_result_user_data(result) == &of_second,
          "it was not cancelled");
  int was_there = ue_result_delivery(result) == state->delivery && ue_result_attempts(result) == state->requests;
  ue_result_free(result);
  ue_queue_free(queue);
  ue_cancel_free(cancel);
  ue_free(client);
  if (state->into == into_dns) sem_post(&let_go_resolver);
  if (filler >= 0) close(filler);
  if (peer >= 0) close(peer);
  close(listener);
  return was_there ? ended - asked : -1;
}

static long long cancelled_in(const struct state *state, int by_handle) {
  for (int settled_ms = SETTLED_MS; settled_ms < PATIENCE_MS; settled_ms *= 2) {
    long long taken = cancel_in(state, by_handle, settled_ms);
    if (taken >= 0) return taken;
  }
  require(0, state->name);
  return -1;
}

int main(int argc, char **argv) {
  require(argc == 2, "usage: cancel TIMES");
  int times = atoi(argv[1]);
  /* One byte of it is the content, but in into_write. */
  content = malloc(LONG + 1);
  require(content != NULL, "no memory");
  sem_init(&asked_resolver, 0, 0);
  sem_init(&let_go_resolver, 0, 0);
  memset(content, 'x', LONG);
  content[1] = content[LONG] = '\0';
  for (size_t i = 0; i < sizeof states / sizeof *states; i++) {
    for (int by_handle = 0; by_handle <= states[i].handle; by_handle++) {
      printf("%s %s", states[i].name, by_handle ? "handle" : "queue");
      for (int taken = 0; taken < times; taken++) printf(" %lld", cancelled_in(&states[i], by_handle));
      printf("\n");
      fflush(stdout);
    }
  }
  free(content);
  return 0;
}
