/* libcurl's multi interface on epoll, with as many easy handles as connections: `multi CONNECTIONS`. Handles and
   connections are used again; each message goes to a customer of its own. The body is made once. libcurl takes its
   interest in a socket back after each transfer, and declares it anew for the next: epoll is told what has changed
   before a wait, which is mostly nothing. */

#include "harness.h"
#include <curl/curl.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { SOCKETS = 4096, EVENTS = 256 };

/* What libcurl wants to know of a socket, and what epoll was told. */
static struct interest {
  uint32_t wanted, told;
  int changed;
} interests[SOCKETS];
static int changes[SOCKETS], changed;

static CURLM *multi;
static int epoll;
static long long timer_at = -1; /* microseconds; libcurl's timer, or none */
static struct curl_slist *headers;
static CURL **idle;
static int idle_count;
static long customer;

static long long now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000LL + time.tv_nsec / 1000;
}

static int on_timer(CURLM *unused, long timeout_ms, void *unused_too) {
  (void)unused, (void)unused_too;
  timer_at = timeout_ms <= 0 ? timeout_ms : now() + timeout_ms * 1000LL;
  return 0;
}

/* Milliseconds until the timer, as epoll_wait has them. Rounds up: what libcurl is told too early it forgets. */
static int until_timer(void) {
  if (timer_at <= 0) return (int)timer_at;
  long long left = timer_at - now();
  return left < 0 ? 0 : (int)((left + 999) / 1000);
}

static int on_interest(CURL *unused, curl_socket_t socket, int what, void *unused_too, void *unused_as_well) {
  (void)unused, (void)unused_too, (void)unused_as_well;
  require(socket < SOCKETS, "there is no room for so many sockets");
  struct interest *interest = &interests[socket];
  interest->wanted = (what & CURL_POLL_IN ? EPOLLIN : 0) | (what & CURL_POLL_OUT ? EPOLLOUT : 0);
  if (!interest->changed) changes[changed++] = socket;
  interest->changed = 1;
  return 0;
}

/* The kernel forgets a socket that is closed: its number may come back. */
static int on_close(void *unused, curl_socket_t socket) {
  (void)unused;
  interests[socket].told = interests[socket].wanted = 0;
  return close(socket);
}

static void tell_epoll(void) {
  while (changed > 0) {
    int socket = changes[--changed];
    struct interest *interest = &interests[socket];
    interest->changed = 0;
    if (interest->wanted == interest->told) continue;
    struct epoll_event event = {.events = interest->wanted, .data = {.fd = socket}};
    int change = !interest->wanted ? EPOLL_CTL_DEL : interest->told ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    require(epoll_ctl(epoll, change, socket, &event) == 0, "epoll_ctl");
    interest->told = interest->wanted;
  }
}

static size_t count(char *data, size_t size, size_t length, void *unused) {
  (void)data, (void)unused;
  return size * length;
}

static void begin(CURL *handle) {
  char url[256];
  snprintf(url, sizeof url, "%susers/%ld/conversations/", base_url(), ++customer);
  curl_easy_setopt(handle, CURLOPT_URL, url);
  require(curl_multi_add_handle(multi, handle) == CURLM_OK, "curl_multi_add_handle");
}

/* Checks what is finished. Returns how many. */
static int finish(void) {
  int finished = 0, left;
  for (CURLMsg *message; (message = curl_multi_info_read(multi, &left)); finished++) {
    long status = 0;
    CURL *handle = message->easy_handle;
    CURLcode code = message->data.result;
    curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
    require(code == CURLE_OK && status == 201, curl_easy_strerror(code));
    curl_multi_remove_handle(multi, handle);
    idle[idle_count++] = handle;
  }
  return finished;
}

/* Waits until libcurl has something to do, and has it done. */
static void work(void) {
  int running;
  if (until_timer() == 0) {
    timer_at = -1;
    curl_multi_socket_action(multi, CURL_SOCKET_TIMEOUT, 0, &running);
    return;
  }
  tell_epoll();
  struct epoll_event events[EVENTS];
  int ready = epoll_wait(epoll, events, EVENTS, until_timer());
  for (int i = 0; i < ready; i++) {
    uint32_t is = events[i].events;
    int what = (is & EPOLLIN ? CURL_CSELECT_IN : 0) | (is & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
               (is & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);
    curl_multi_socket_action(multi, events[i].data.fd, what, &running);
  }
}

static void send_all(int messages) {
  int begun = 0, finished = 0;
  while (finished < messages) {
    for (; idle_count > 0 && begun < messages; begun++) begin(idle[--idle_count]);
    work();
    finished += finish();
  }
}

static CURL *new_handle(void) {
  CURL *handle = curl_easy_init();
  require(handle != NULL, "no handle");
  curl_easy_setopt(handle, CURLOPT_HTTPHEADER, headers);
  curl_easy_setopt(handle, CURLOPT_USERAGENT, "userengage/0.1.0");
  curl_easy_setopt(handle, CURLOPT_POSTFIELDS, BODY);
  curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, count);
  curl_easy_setopt(handle, CURLOPT_CLOSESOCKETFUNCTION, on_close);
  curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(handle, CURLOPT_TIMEOUT, 30L);
  if (ca_file()) curl_easy_setopt(handle, CURLOPT_CAINFO, ca_file());
  return handle;
}

int main(int argc, char **argv) {
  require(argc == 2, "usage: multi CONNECTIONS");
  int connections = atoi(argv[1]);
  char authorization[256];
  snprintf(authorization, sizeof authorization, "Authorization: Token %s", api_key());
  curl_global_init(CURL_GLOBAL_DEFAULT);
  headers = curl_slist_append(headers, authorization);
  headers = curl_slist_append(headers, "Content-Type: application/json");
  multi = curl_multi_init();
  epoll = epoll_create1(EPOLL_CLOEXEC);
  idle = calloc(connections, sizeof(CURL *));
  require(multi && epoll >= 0 && idle, "no multi handle, no epoll, or no memory");
  curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_interest);
  curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timer);
  curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)connections);
  for (; idle_count < connections; idle_count++) idle[idle_count] = new_handle();
  take_turns_at_many(connections, send_all);
  while (idle_count > 0) curl_easy_cleanup(idle[--idle_count]);
  curl_multi_cleanup(multi);
  curl_slist_free_all(headers);
  return 0;
}
