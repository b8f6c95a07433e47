/* Signals, descriptors, exit and output belong to the host's process; the library leaves them alone. */

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "given.h"

static volatile sig_atomic_t caught;

static void count(int number) {
  (void)number;
  caught++;
}

static void handle(int number, void (*handler)(int)) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = handler; /* without SA_RESTART */
  CHECK(sigaction(number, &action, NULL) == 0);
}

static void alarm_every_10_ms(int on) {
  struct itimerval timer;
  memset(&timer, 0, sizeof timer);
  timer.it_interval.tv_usec = timer.it_value.tv_usec = on ? 10000 : 0;
  CHECK(setitimer(ITIMER_REAL, &timer, NULL) == 0);
}

static void a_message_is_delivered_under_a_timer_of_the_hosts(void) {
  handle(SIGALRM, count);
  order("{\"fault\": \"delay\", \"ms\": 200, \"client_user_id\": \"1100\", \"times\": 1}");
  ue_client *client = sandbox_client();
  alarm_every_10_ms(1);
  ue_status slow = send_to(client, "1100"), fast = send_to(client, "1100");
  alarm_every_10_ms(0);
  CHECK_INT(slow, UE_OK);
  CHECK_INT(fast, UE_OK);
  CHECK(caught > 5);
  ue_free(client);
  CHECK_INT(requests("1100"), 2);
}

static void a_large_message_to_a_slow_reader_is_delivered_under_a_timer(void) {
  enum { SIZE = 8 * 1024 * 1024 };
  char *content = (char *)malloc(SIZE + 1);
  memset(content, 'x', SIZE);
  content[SIZE] = '\0';
  handle(SIGALRM, count);
  order("{\"fault\": \"slow-read\", \"ms\": 200, \"client_user_id\": \"1101\", \"times\": 1}");
  ue_client *client = sandbox_client();
  ue_message message = message_to("1101");
  message.content = content;
  alarm_every_10_ms(1);
  ue_status status = ue_send_conversation(client, &message, NULL);
  alarm_every_10_ms(0);
  CHECK_INT(status, UE_OK);
  CHECK(caught > 5);
  ue_free(client);
  free(content);
}

static void a_timer_does_not_lengthen_the_timeout(void) {
  handle(SIGALRM, count);
  order("{\"fault\": \"hang\", \"client_user_id\": \"1102\"}");
  ue_options options = sandbox_options();
  options.timeout_ms = 300;
  ue_client *client = client_with(&options);
  long long started = now_ms();
  alarm_every_10_ms(1);
  ue_status status = send_to(client, "1102");
  alarm_every_10_ms(0);
  CHECK_INT(status, UE_TIMEOUT);
  CHECK(now_ms() - started >= 300 && in_time(now_ms() - started, 800));
  ue_free(client);
}

static void no_sigpipe_is_raised_when_the_service_goes_away(void) {
  enum { SIZE = 4 * 1024 * 1024 };
  static const char *const faults[] = {
      "{\"fault\": \"close-kept\", \"client_user_id\": \"1103\", \"times\": 1}",
      "{\"fault\": \"close-kept\", \"when\": \"on-next\", \"client_user_id\": \"1103\", \"times\": 1}",
      "{\"fault\": \"reset\", \"where\": \"request-head\", \"client_user_id\": \"1103\", \"times\": 1}",
      "{\"fault\": \"early-answer\", \"client_user_id\": \"1103\", \"times\": 1}",
  };
  char *content = (char *)malloc(SIZE + 1);
  memset(content, 'x', SIZE);
  content[SIZE] = '\0';
  handle(SIGPIPE, count);
  ue_client *client = sandbox_client();
  for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
    order(faults[i]);
    ue_message message = message_to("1103");
    message.content = content;
    for (int j = 0; j < 2; j++) CHECK(ue_send_conversation(client, &message, NULL) != UE_INTERNAL);
  }
  ue_free(client);
  free(content);
  CHECK_INT(caught, 0);
}

static void what_the_host_does_with_signals_stays(void) {
  struct sigaction before[32], after;
  sigset_t mask_before, mask_after;
  for (int number = 1; number < 32; number++) (void)sigaction(number, NULL, &before[number]);
  CHECK(pthread_sigmask(SIG_SETMASK, NULL, &mask_before) == 0);
  ue_client *client = sandbox_client();
  CHECK_INT(send_to(client, "1104"), UE_OK);
  ue_free(client);
  for (int number = 1; number < 32; number++) {
    if (number == SIGKILL || number == SIGSTOP) continue;
    CHECK(sigaction(number, NULL, &after) == 0 && after.sa_handler == before[number].sa_handler);
  }
  CHECK(pthread_sigmask(SIG_SETMASK, NULL, &mask_after) == 0);
  for (int number = 1; number < 32; number++)
    CHECK_INT(sigismember(&mask_after, number), sigismember(&mask_before, number));
}

static void freed_clients_leave_no_descriptor(void) {
  CHECK_INT(send_to(NULL, "1105"), UE_INVALID_ARGUMENT);
  int before = descriptors();
  for (int i = 0; i < 20; i++) {
    ue_client *client = sandbox_client();
    CHECK_INT(send_to(client, "1105"), UE_OK);
    ue_free(client);
  }
  CHECK_INT(descriptors(), before);
}

static void a_finished_batch_leaves_no_descriptor_but_its_idle_connections(void) {
  enum { BATCH = 40, CONNECTIONS = 4, PAIR = 2 };
  int before = descriptors();
  ue_options options = sandbox_options();
  options.max_connections = CONNECTIONS;
  ue_client *client = client_with(&options);
  ue_message messages[BATCH];
  static const char *const ids[] = {"1112", "1113", "1114", "1115", "1116"};
  for (int round = 0; round < 5; round++) {
    for (int i = 0; i < BATCH; i++) messages[i] = message_to(ids[i % 5]);
    CHECK_INT(ue_send_conversations(client, messages, BATCH, NULL, NULL), UE_OK);
    CHECK(descriptors() <= before + PAIR + CONNECTIONS);
  }
  ue_client_close(client);
  CHECK_INT(descriptors(), before + PAIR);
  ue_free(client);
  CHECK_INT(descriptors(), before);
}

static void *send_a_batch(void *client) {
  enum { BATCH = 30 };
  ue_message messages[BATCH];
  static const char *const ids[] = {"1117", "1118", "1119"};
  for (int i = 0; i < BATCH; i++) messages[i] = message_to(ids[i % 3]);
  ue_status status = ue_send_conversations((ue_client *)client, messages, BATCH, NULL, NULL);
  CHECK(status == UE_OK || status == UE_CLOSED);
  return NULL;
}

static void connections_in_use_at_the_close_are_not_kept(void) {
  enum { PAIR = 2 };
  int before = descriptors();
  for (int round = 0; round < 10; round++) {
    ue_client *client = sandbox_client();
    int seen = requests("1117");
    pthread_t thread;
    CHECK_INT(pthread_create(&thread, NULL, send_a_batch, client), 0);
    await_requests("1117", seen + 1);
    ue_client_close(client);
    CHECK_INT(pthread_join(thread, NULL), 0);
    CHECK_INT(descriptors(), before + PAIR);
    ue_free(client);
  }
}

static void descriptors_are_closed_on_exec(void) {
  enum { MOST = 64 };
  int was_open[MOST], own = 0;
  for (int fd = 0; fd < MOST; fd++) was_open[fd] = fcntl(fd, F_GETFD) >= 0;
  ue_client *client = sandbox_client();
  CHECK_INT(send_to(client, "1106"), UE_OK);
  for (int fd = 0; fd < MOST; fd++) {
    int flags = fcntl(fd, F_GETFD);
    if (was_open[fd] || flags < 0) continue;
    CHECK(flags & FD_CLOEXEC);
    own++;
  }
  CHECK(own >= 1); /* at least the connection */
  ue_free(client);
}

static void without_descriptors_there_is_an_error_and_later_a_delivery(void) {
  struct rlimit limit, low;
  CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
  low = limit;
  low.rlim_cur = 64;
  CHECK(setrlimit(RLIMIT_NOFILE, &low) == 0);
  ue_options options = sandbox_options();
  options.timeout_ms = 300;
  ue_client *client = client_with(&options);
  while (dup(0) >= 0) {
  }
  ue_result *made = NULL, *sent = NULL;
  ue_message message = message_to("1107");
  ue_client *second = ue_client_new(the_sandbox.api_key, &options, &made);
  ue_status status = ue_send_conversation(client, &message, &sent);
  CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
  CHECK(second == NULL);
  CHECK_INT(ue_result_status(made), UE_CONNECT);
  CHECK_INT(status, UE_CONNECT);
  CHECK_INT(ue_result_delivery(sent), UE_NOT_DELIVERED);
  ue_result_free(made);
  ue_result_free(sent);
  CHECK_INT(send_to(client, "1107"), UE_OK);
  ue_free(client);
}

static ue_client *freed_at_exit;

static void free_at_exit(void) { ue_free(freed_at_exit); }

static void *hang_on_1108(void *unused) {
  (void)unused;
  (void)send_to(freed_at_exit, "1108");
  return NULL;
}

static void a_client_may_be_freed_in_atexit(void) {
  order("{\"fault\": \"hang\", \"client_user_id\": \"1108\"}");
  for (int is_busy = 0; is_busy < 2; is_busy++) {
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
      CHECK(atexit(free_at_exit) == 0);
      freed_at_exit = sandbox_client();
      CHECK_INT(send_to(freed_at_exit, "1109"), UE_OK);
      if (is_busy) {
        pthread_t thread;
        CHECK_INT(pthread_create(&thread, NULL, hang_on_1108, NULL), 0);
        CHECK_INT(pthread_detach(thread), 0);
        await_requests("1108", 1);
      }
      exit(3);
    }
    int status = 0;
    while (waitpid(child, &status, 0) < 0) CHECK(errno == EINTR);
    CHECK(WIFEXITED(status));
    CHECK_INT(WEXITSTATUS(status), 3);
  }
}

static void nothing_is_printed(void) {
  char path[] = "/tmp/ue-test-XXXXXX";
  int file = mkstemp(path);
  CHECK(file >= 0 && unlink(path) == 0);
  fflush(NULL);
  int out = dup(1), err = dup(2);
  CHECK(dup2(file, 1) == 1 && dup2(file, 2) == 2);
  ue_client *client = sandbox_client();
  (void)send_to(client, "1110");
  (void)send_to(client, "missing-1110");
  (void)send_to(client, "");
  (void)send_to(NULL, "1110");
  ue_free(client);
  fflush(NULL);
  CHECK(dup2(out, 1) == 1 && dup2(err, 2) == 2);
  CHECK_INT(lseek(file, 0, SEEK_END), 0);
}

static void *hang_on_1111(void *client) {
  int status = send_to((ue_client *)client, "1111") == UE_CLOSED;
  CHECK(status);
  pthread_testcancel();
  return NULL; /* never: it was cancelled */
}

static void a_thread_is_cancelled_after_its_call_not_within(void) {
  order("{\"fault\": \"hang\", \"client_user_id\": \"1111\"}");
  ue_client *client = sandbox_client();
  pthread_t thread;
  void *end = NULL;
  CHECK_INT(pthread_create(&thread, NULL, hang_on_1111, client), 0);
  await_requests("1111", 1);
  CHECK_INT(pthread_cancel(thread), 0);
  ue_client_close(client);
  CHECK_INT(pthread_join(thread, &end), 0);
  CHECK(end == PTHREAD_CANCELED);
  ue_free(client);
}

static const test tests[] = {
    TEST(a_message_is_delivered_under_a_timer_of_the_hosts),
    TEST(a_large_message_to_a_slow_reader_is_delivered_under_a_timer),
    TEST(a_timer_does_not_lengthen_the_timeout),
    TEST(no_sigpipe_is_raised_when_the_service_goes_away),
    TEST(what_the_host_does_with_signals_stays),
    TEST(freed_clients_leave_no_descriptor),
    TEST(a_finished_batch_leaves_no_descriptor_but_its_idle_connections),
    TEST(connections_in_use_at_the_close_are_not_kept),
    TEST(descriptors_are_closed_on_exec),
    TEST(without_descriptors_there_is_an_error_and_later_a_delivery),
    TEST(a_client_may_be_freed_in_atexit),
    TEST(nothing_is_printed),
    TEST(a_thread_is_cancelled_after_its_call_not_within),
};

MAIN(tests)
