/* A cancel handle ends the calls that have it, and no others, from wherever it is triggered. */

#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "given.h"

/* A call in its own thread. */
typedef struct call {
  ue_client *client;
  ue_message message;
  ue_result *result;
  long long ended;
  pthread_t thread;
} call;

static void *make_call(void *argument) {
  call *self = (call *)argument;
  ue_status status = ue_send_conversation(self->client, &self->message, &self->result);
  self->ended = now_ms();
  CHECK_INT(ue_result_status(self->result), status);
  return NULL;
}

static void start_call(call *self, ue_client *client, const char *client_user_id, ue_cancel *cancel) {
  self->client = client;
  self->message = message_to(client_user_id);
  self->message.cancel = cancel;
  CHECK_INT(pthread_create(&self->thread, NULL, make_call, self), 0);
}

static void end_call(call *self, ue_status status, ue_delivery delivery) {
  CHECK_INT(pthread_join(self->thread, NULL), 0);
  CHECK_INT(ue_result_status(self->result), status);
  CHECK_INT(ue_result_delivery(self->result), delivery);
  ue_result_free(self->result);
}

static ue_cancel *new_cancel(void) {
  ue_result *result = NULL;
  ue_cancel *cancel = ue_cancel_new(&result);
  CHECK_INT(ue_result_status(result), UE_OK);
  CHECK(cancel != NULL);
  ue_result_free(result);
  return cancel;
}

static void a_trigger_ends_a_call_at_once(void) {
  ue_client *client = sandbox_client();
  long long fastest = 1000;
  for (int i = 0; i < 6; i++) {
    order("{\"fault\": \"hang\", \"client_user_id\": \"2013\"}");
    ue_cancel *cancel = new_cancel();
    call hanging;
    start_call(&hanging, client, "2013", cancel);
    await_requests("2013", i + 1);
    long long triggered = now_ms();
    ue_cancel_trigger(cancel);
    end_call(&hanging, UE_CANCELLED, UE_DELIVERY_UNKNOWN);
    if (hanging.ended - triggered < fastest) fastest = hanging.ended - triggered;
    ue_cancel_free(cancel);
  }
  CHECK(in_time(fastest, 50)); /* half of the interval between two calls of interrupt */
  ue_free(client);
}

static void a_trigger_of_another_thread_ends_the_calls_with_its_handle_and_no_others(void) {
  order("{\"fault\": \"hang\", \"client_user_id\": \"2000\"}");
  order("{\"fault\": \"delay\", \"ms\": 300, \"client_user_id\": \"2001\"}");
  ue_client *client = sandbox_client();
  ue_cancel *cancel = new_cancel(), *other = new_cancel();
  call cancelled, with_another, with_none;
  start_call(&cancelled, client, "2000", cancel);
  start_call(&with_another, client, "2001", other);
  start_call(&with_none, client, "2001", NULL);
  await_requests("2000", 1);
  await_requests("2001", 2);
  ue_cancel_trigger(cancel);
  end_call(&cancelled, UE_CANCELLED, UE_DELIVERY_UNKNOWN);
  end_call(&with_another, UE_OK, UE_DELIVERED);
  end_call(&with_none, UE_OK, UE_DELIVERED);
  ue_cancel_free(cancel);
  ue_cancel_free(other);
  ue_free(client);
}

static void one_handle_ends_every_call_that_has_it(void) {
  enum { CALLS = 6 };
  char fault[100];
  snprintf(fault, sizeof fault, "{\"fault\": \"hang\", \"client_user_id\": \"2002\", \"times\": %d}", 2 * CALLS);
  order(fault);
  ue_client *clients[2] = {sandbox_client(), sandbox_client()};
  ue_cancel *cancel = new_cancel();
  call calls[2 * CALLS];
  for (int i = 0; i < 2 * CALLS; i++) start_call(&calls[i], clients[i % 2], "2002", cancel);
  await_requests("2002", 2 * CALLS);
  for (int i = 0; i < 3; i++) ue_cancel_trigger(cancel);
  for (int i = 0; i < 2 * CALLS; i++) end_call(&calls[i], UE_CANCELLED, UE_DELIVERY_UNKNOWN);
  ue_cancel_free(cancel);
  ue_free(clients[0]);
  ue_free(clients[1]);
}

static void a_call_with_a_triggered_handle_sends_nothing(void) {
  ue_client *client = sandbox_client();
  ue_cancel *cancel = new_cancel();
  ue_cancel_trigger(cancel);
  ue_message message = message_to("2003");
  message.cancel = cancel;
  for (int i = 0; i < 3; i++) {
    ue_result *result = NULL;
    CHECK_INT(ue_send_conversation(client, &message, &result), UE_CANCELLED);
    CHECK_INT(ue_result_delivery(result), UE_NOT_DELIVERED);
    CHECK_INT(ue_result_retry(result), UE_RETRY_LATER);
    CHECK_INT(ue_result_attempts(result), 0);
    ue_result_free(result);
  }
  ue_cancel_free(cancel);
  message.cancel = NULL;
  CHECK_INT(ue_send_conversation(client, &message, NULL), UE_OK);
  ue_free(client);
  CHECK_INT(requests("2003"), 1);
}

static void a_trigger_ends_a_call_in_the_midst_of_a_handshake(void) {
  struct sockaddr_in address = {0};
  socklen_t length = sizeof address;
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  CHECK(bind(listener, (struct sockaddr *)&address, sizeof address) == 0 && listen(listener, 1) == 0);
  CHECK(getsockname(listener, (struct sockaddr *)&address, &length) == 0);
  char url[64];
  snprintf(url, sizeof url, "https://127.0.0.1:%d/", ntohs(address.sin_port));
  ue_options options = UE_OPTIONS_INIT;
  options.base_url = url;
  ue_client *client = client_with(&options);
  ue_cancel *cancel = new_cancel();
  call hanging;
  start_call(&hanging, client, "2004", cancel);
  CHECK(accept(listener, NULL, NULL) >= 0);
  ue_cancel_trigger(cancel);
  end_call(&hanging, UE_CANCELLED, UE_NOT_DELIVERED);
  ue_cancel_free(cancel);
  ue_free(client);
}

static int waits;

static void on_warning(void *unused, int32_t level, const char *text) {
  (void)unused, (void)text;
  if (level == UE_LOG_WARN) __atomic_store_n(&waits, 1, __ATOMIC_SEQ_CST);
}

static void a_trigger_ends_a_wait_between_attempts(void) {
  order(
      "{\"fault\": \"status\", \"status\": 429, \"headers\": {\"Retry-After\": \"20\"}, \"client_user_id\": \"2005\"}");
  ue_options options = sandbox_options();
  options.log = on_warning;
  options.log_level = UE_LOG_WARN;
  ue_client *client = client_with(&options);
  ue_cancel *cancel = new_cancel();
  call waiting;
  start_call(&waiting, client, "2005", cancel);
  while (!__atomic_load_n(&waits, __ATOMIC_SEQ_CST)) sched_yield();
  ue_cancel_trigger(cancel);
  end_call(&waiting, UE_CANCELLED, UE_NOT_DELIVERED);
  ue_cancel_free(cancel);
  ue_free(client);
}

static void *trigger_when_it_hangs(void *cancel) {
  await_requests("2006", 1);
  ue_cancel_trigger((ue_cancel *)cancel);
  return NULL;
}

static void a_message_of_a_batch_is_ended_alone(void) {
  order("{\"fault\": \"hang\", \"client_user_id\": \"2006\"}");
  ue_client *client = sandbox_client();
  ue_cancel *cancel = new_cancel(), *triggered = new_cancel();
  ue_cancel_trigger(triggered);
  ue_message messages[12];
  ue_result *results[12];
  for (int i = 0; i < 12; i++) {
    messages[i] = message_to(i == 0 ? "2006" : i % 2 ? "2007" : "2008");
    if (i == 0) messages[i].cancel = cancel;
    if (i == 7) messages[i].cancel = triggered;
  }
  pthread_t thread;
  CHECK_INT(pthread_create(&thread, NULL, trigger_when_it_hangs, cancel), 0);
  CHECK_INT(ue_send_conversations(client, messages, 12, NULL, results), UE_CANCELLED);
  CHECK_INT(pthread_join(thread, NULL), 0);
  for (int i = 0; i < 12; i++) {
    CHECK_INT(ue_result_status(results[i]), i == 0 || i == 7 ? UE_CANCELLED : UE_OK);
    CHECK_INT(ue_result_delivery(results[i]), i == 0 ? UE_DELIVERY_UNKNOWN : i == 7 ? UE_NOT_DELIVERED : UE_DELIVERED);
    ue_result_free(results[i]);
  }
  ue_cancel_free(cancel);
  ue_cancel_free(triggered);
  ue_free(client);
}

static ue_cancel *of_the_handler;

static void trigger_in_a_handler(int number) {
  (void)number;
  ue_cancel_trigger(of_the_handler);
}

static void handle(int flags) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = trigger_in_a_handler;
  action.sa_flags = flags;
  CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
}

static void a_signal_handler_ends_the_call_that_it_interrupts(void) {
  ue_client *client = sandbox_client();
  for (int i = 0; i < 4; i++) {
    handle(i % 2 ? SA_RESTART : 0);
    order("{\"fault\": \"hang\", \"client_user_id\": \"2010\"}");
    of_the_handler = new_cancel();
    call hanging;
    start_call(&hanging, client, "2010", of_the_handler);
    await_requests("2010", i + 1);
    if (i < 2) {
      CHECK(pthread_kill(hanging.thread, SIGUSR1) == 0);
    } else {
      CHECK(raise(SIGUSR1) == 0); /* in another thread than the call's */
    }
    end_call(&hanging, UE_CANCELLED, UE_DELIVERY_UNKNOWN);
    ue_cancel_free(of_the_handler);
  }
  ue_free(client);
}

static void a_trigger_keeps_errno_any_number_of_times(void) {
  handle(0);
  of_the_handler = new_cancel();
  for (int i = 0; i < 2000; i++) { /* more than its socket holds */
    errno = 77;
    ue_cancel_trigger(of_the_handler);
    CHECK_INT(errno, 77);
    CHECK(raise(SIGUSR1) == 0);
    CHECK_INT(errno, 77);
  }
  errno = 77;
  ue_cancel_trigger(NULL);
  CHECK_INT(errno, 77);
  ue_cancel_free(of_the_handler);
}

static void a_handle_may_be_freed_during_the_calls_that_have_it(void) {
  order("{\"fault\": \"hang\", \"client_user_id\": \"2011\", \"times\": 2}");
  ue_client *client = sandbox_client();
  ue_cancel *triggered = new_cancel(), *freed = new_cancel();
  call cancelled, closed;
  start_call(&cancelled, client, "2011", triggered);
  start_call(&closed, client, "2011", freed);
  await_requests("2011", 2);
  ue_cancel_trigger(triggered);
  ue_cancel_free(triggered);
  ue_cancel_free(freed);
  end_call(&cancelled, UE_CANCELLED, UE_DELIVERY_UNKNOWN);
  ue_client_close(client);
  end_call(&closed, UE_CLOSED, UE_DELIVERY_UNKNOWN);
  ue_free(client);
}

static void freed_handles_leave_no_descriptor(void) {
  int before = descriptors();
  ue_cancel *cancel = new_cancel();
  CHECK_INT(descriptors(), before + 2);
  ue_cancel_free(cancel);
  for (int i = 0; i < 1000; i++) {
    cancel = new_cancel();
    if (i % 2) ue_cancel_trigger(cancel);
    ue_cancel_free(cancel);
  }
  CHECK_INT(descriptors(), before);
}

static void without_descriptors_there_is_no_handle_and_an_error(void) {
  struct rlimit limit, low;
  CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
  low = limit;
  low.rlim_cur = 64;
  CHECK(setrlimit(RLIMIT_NOFILE, &low) == 0);
  while (dup(0) >= 0) {
  }
  ue_result *result = NULL;
  ue_cancel *cancel = ue_cancel_new(&result);
  CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
  CHECK(cancel == NULL);
  CHECK_INT(ue_result_status(result), UE_CONNECT);
  CHECK_PART(ue_result_message(result), "files");
  ue_result_free(result);
}

enum { THREADS = 16, EACH = 40 };

typedef struct racer {
  ue_client *client;
  ue_cancel *cancel;
  pthread_t thread;
} racer;

/* Sends until it is cancelled. */
static void *send_until_cancelled(void *argument) {
  racer *self = (racer *)argument;
  ue_message message = message_to("2012");
  message.cancel = self->cancel;
  ue_status status;
  do status = ue_send_conversation(self->client, &message, NULL);
  while (status == UE_OK);
  CHECK_INT(status, UE_CANCELLED);
  return NULL;
}

static void threads_that_send_while_others_trigger_and_free_are_each_ended(void) {
  ue_client *client = sandbox_client();
  racer racers[THREADS];
  for (int round = 0; round < (is_checked() ? 3 : EACH); round++) {
    for (int i = 0; i < THREADS; i++) {
      racers[i].client = client;
      racers[i].cancel = new_cancel();
      CHECK_INT(pthread_create(&racers[i].thread, NULL, send_until_cancelled, &racers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) ue_cancel_trigger(racers[i].cancel);
    for (int i = 0; i < THREADS; i++) CHECK_INT(pthread_join(racers[i].thread, NULL), 0);
    for (int i = 0; i < THREADS; i++) ue_cancel_free(racers[i].cancel);
  }
  ue_free(client);
}

static const test tests[] = {
    TEST(a_trigger_ends_a_call_at_once),
    TEST(a_trigger_of_another_thread_ends_the_calls_with_its_handle_and_no_others),
    TEST(one_handle_ends_every_call_that_has_it),
    TEST(a_call_with_a_triggered_handle_sends_nothing),
    TEST(a_trigger_ends_a_call_in_the_midst_of_a_handshake),
    TEST(a_trigger_ends_a_wait_between_attempts),
    TEST(a_message_of_a_batch_is_ended_alone),
    TEST(a_signal_handler_ends_the_call_that_it_interrupts),
    TEST(a_trigger_keeps_errno_any_number_of_times),
    TEST(a_handle_may_be_freed_during_the_calls_that_have_it),
    TEST(freed_handles_leave_no_descriptor),
    TEST(without_descriptors_there_is_no_handle_and_an_error),
    TEST(threads_that_send_while_others_trigger_and_free_are_each_ended),
};

MAIN(tests)
