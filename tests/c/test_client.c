/* The life of a client: its callbacks, closing it while it sends, freeing it. */

#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "given.h"

/* A call in its own thread. */
typedef struct call {
  ue_client *client;
  const char *client_user_id;
  ue_result *result;
  long long took_ms;
  pthread_t thread;
} call;

static void *make_call(void *argument) {
  call *self = (call *)argument;
  ue_message message = message_to(self->client_user_id);
  long long started = now_ms();
  ue_status status = ue_send_conversation(self->client, &message, &self->result);
  self->took_ms = now_ms() - started;
  CHECK_INT(ue_result_status(self->result), status);
  return NULL;
}

static void start_call(call *self, ue_client *client, const char *client_user_id) {
  self->client = client;
  self->client_user_id = client_user_id;
  CHECK_INT(pthread_create(&self->thread, NULL, make_call, self), 0);
}

static void end_call(call *self, ue_status status, ue_delivery delivery) {
  CHECK_INT(pthread_join(self->thread, NULL), 0);
  CHECK_INT(ue_result_status(self->result), status);
  CHECK_INT(ue_result_delivery(self->result), delivery);
  ue_result_free(self->result);
}

static void closing_ends_a_call_on_a_service_that_hangs(void) {
  order("{\"fault\": \"hang\", \"client_user_id\": \"800\"}");
  ue_client *client = sandbox_client();
  call hanging;
  start_call(&hanging, client, "800");
  await_requests("800", 1);
  long long closed = now_ms();
  ue_client_close(client);
  end_call(&hanging, UE_CLOSED, UE_DELIVERY_UNKNOWN);
  CHECK(in_time(now_ms() - closed, 500));
  ue_free(client);
}

static void closing_ends_a_call_in_the_midst_of_a_handshake(void) {
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
  call hanging;
  start_call(&hanging, client, "801");
  CHECK(accept(listener, NULL, NULL) >= 0);
  ue_client_close(client);
  end_call(&hanging, UE_CLOSED, UE_NOT_DELIVERED);
  ue_free(client);
}

static int waits;

static void on_warning(void *unused, int32_t level, const char *text) {
  (void)unused, (void)text;
  if (level == 2) __atomic_store_n(&waits, 1, __ATOMIC_SEQ_CST);
}

static void closing_ends_a_wait_between_attempts(void) {
  order(
      "{\"fault\": \"status\", \"status\": 429, \"headers\": {\"Retry-After\": \"20\"}, \"client_user_id\": \"802\"}");
  ue_options options = sandbox_options();
  options.log = on_warning;
  options.log_level = 2;
  ue_client *client = client_with(&options);
  call waiting;
  start_call(&waiting, client, "802");
  while (!__atomic_load_n(&waits, __ATOMIC_SEQ_CST)) sched_yield();
  ue_client_close(client);
  end_call(&waiting, UE_CLOSED, UE_NOT_DELIVERED);
  ue_free(client);
}

static void a_closed_client_refuses_and_may_be_closed_again(void) {
  ue_client *client = sandbox_client();
  CHECK_INT(send_to(client, "803"), UE_OK);
  ue_client_close(client);
  ue_client_close(client);
  ue_message message = message_to("803");
  ue_result *result = NULL;
  CHECK_INT(ue_send_conversation(client, &message, &result), UE_CLOSED);
  CHECK_INT(ue_result_delivery(result), UE_NOT_DELIVERED);
  CHECK_INT(ue_result_attempts(result), 0);
  CHECK_PART(ue_result_message(result), "closed");
  ue_result_free(result);
  ue_client_close(client);
  ue_free(client);
  CHECK_INT(requests("803"), 1);
}

static void freeing_ends_the_calls_under_way_and_waits_for_them(void) {
  order("{\"fault\": \"hang\", \"client_user_id\": \"804\", \"times\": 4}");
  ue_client *client = sandbox_client();
  call hanging[4];
  for (int i = 0; i < 4; i++) start_call(&hanging[i], client, "804");
  await_requests("804", 4);
  ue_free(client);
  for (int i = 0; i < 4; i++) end_call(&hanging[i], UE_CLOSED, UE_DELIVERY_UNKNOWN);
}

static void a_result_outlives_its_client(void) {
  ue_client *client = sandbox_client();
  ue_message message = message_to("missing-805");
  ue_result *result = NULL;
  CHECK_INT(ue_send_conversation(client, &message, &result), UE_NOT_FOUND);
  ue_free(client);
  CHECK_TEXT(ue_result_detail(result), "Not found.");
  CHECK_PART(ue_result_body(result, NULL), "Not found.");
  ue_result_free(result);
}

/* Counts its calls, and says stop from the third one on. */
static int32_t stop_at_the_third_question(void *asked) { return ++*(int *)asked >= 3; }

static void the_interrupt_callback_ends_a_waiting_call(void) {
  order("{\"fault\": \"hang\", \"client_user_id\": \"806\"}");
  int asked = 0;
  ue_options options = sandbox_options();
  options.interrupt = stop_at_the_third_question;
  options.interrupt_user_data = &asked;
  ue_client *client = client_with(&options);
  ue_message message = message_to("806");
  ue_result *result = NULL;
  long long started = now_ms();
  CHECK_INT(ue_send_conversation(client, &message, &result), UE_CANCELLED);
  CHECK(in_time(now_ms() - started, 2000));
  CHECK_INT(asked, 3);
  CHECK_INT(ue_result_delivery(result), UE_DELIVERY_UNKNOWN);
  ue_result_free(result);
  ue_free(client);
}

static volatile sig_atomic_t signalled;

static void on_signal(int number) { signalled = number; }

static int32_t stop_when_signalled(void *unused) {
  (void)unused;
  return signalled != 0;
}

static void a_signal_has_the_callback_asked_at_once(void) {
  struct sigaction action = {0};
  action.sa_handler = on_signal; /* without SA_RESTART, and with: a call notices both */
  ue_options options = sandbox_options();
  options.interrupt = stop_when_signalled;
  ue_client *client = client_with(&options);
  long long fastest = 1000;
  for (int i = 0; i < 6; i++) {
    action.sa_flags = i % 2 ? SA_RESTART : 0;
    CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
    signalled = 0;
    order("{\"fault\": \"hang\", \"client_user_id\": \"807\", \"times\": 1}");
    call hanging;
    start_call(&hanging, client, "807");
    await_requests("807", i + 1);
    long long sent = now_ms();
    CHECK(pthread_kill(hanging.thread, SIGUSR1) == 0);
    end_call(&hanging, UE_CANCELLED, UE_DELIVERY_UNKNOWN);
    if (now_ms() - sent < fastest) fastest = now_ms() - sent;
  }
  CHECK(in_time(fastest, 50)); /* half of the interval between two calls without a signal */
  ue_free(client);
}

static int32_t close_from_within(void *client) {
  ue_client_close(*(ue_client **)client);
  return 0;
}

static void a_callback_may_close_its_client(void) {
  order("{\"fault\": \"hang\", \"client_user_id\": \"808\"}");
  ue_client *client = NULL;
  ue_options options = sandbox_options();
  options.interrupt = close_from_within;
  options.interrupt_user_data = &client;
  client = client_with(&options);
  CHECK_INT(send_to(client, "808"), UE_CLOSED);
  ue_free(client);
}

typedef struct lines {
  char text[16384];
  pthread_t thread;
  int32_t levels;
} lines;

static void keep_line(void *argument, int32_t level, const char *text) {
  lines *kept = (lines *)argument;
  CHECK(pthread_equal(pthread_self(), kept->thread));
  CHECK(level >= 1 && level <= 5);
  kept->levels |= 1 << level;
  CHECK(strlen(kept->text) + strlen(text) + 2 < sizeof kept->text);
  strcat(kept->text, text);
  strcat(kept->text, "\n");
}

static void the_log_comes_on_the_calling_thread_without_key_and_content(void) {
  lines *kept = (lines *)calloc(1, sizeof *kept);
  kept->thread = pthread_self();
  ue_options options = sandbox_options();
  options.log = keep_line;
  options.log_user_data = kept;
  options.log_level = 5;
  ue_client *client = client_with(&options);
  ue_message message = message_to("809");
  message.content = "a secret between us";
  message.source_context = "{\"secret\": \"of the context\"}";
  CHECK_INT(ue_send_conversation(client, &message, NULL), UE_OK);
  message.client_user_id = "missing-809";
  CHECK_INT(ue_send_conversation(client, &message, NULL), UE_NOT_FOUND);
  ue_free(client);
  CHECK(kept->levels & 1 << 1 && kept->levels & 1 << 4);
  CHECK(strstr(kept->text, the_sandbox.api_key) == NULL);
  CHECK(strstr(kept->text, "secret") == NULL);
  free(kept);
}

static void a_level_leaves_out_what_matters_less(void) {
  lines *kept = (lines *)calloc(1, sizeof *kept);
  kept->thread = pthread_self();
  ue_options options = sandbox_options();
  options.log = keep_line;
  options.log_user_data = kept;
  options.log_level = 1;
  ue_client *client = client_with(&options);
  CHECK_INT(send_to(client, "810"), UE_OK);
  CHECK_TEXT(kept->text, "");
  CHECK_INT(send_to(client, "missing-810"), UE_NOT_FOUND);
  CHECK_INT(kept->levels, 1 << 1);
  ue_free(client);
  free(kept);
}

static void the_timeout_ends_a_call_in_time(void) {
  order("{\"fault\": \"hang\", \"client_user_id\": \"811\"}");
  ue_options options = sandbox_options();
  options.timeout_ms = 300;
  ue_client *client = client_with(&options);
  ue_message message = message_to("811");
  ue_result *result = NULL;
  CHECK_INT(ue_send_conversation(client, &message, &result), UE_TIMEOUT);
  CHECK(ue_result_elapsed_us(result) >= 300000 && in_time((long long)ue_result_elapsed_us(result) / 1000, 800));
  CHECK_INT(ue_result_delivery(result), UE_DELIVERY_UNKNOWN);
  ue_result_free(result);
  ue_free(client);
}

static void a_wait_past_the_deadline_is_not_begun_and_is_told(void) {
  order("{\"fault\": \"status\", \"status\": 429, \"headers\": {\"Retry-After\": \"3\"}, \"client_user_id\": \"812\"}");
  ue_options options = sandbox_options();
  options.timeout_ms = 1000;
  ue_client *client = client_with(&options);
  ue_message message = message_to("812");
  ue_result *result = NULL;
  CHECK_INT(ue_send_conversation(client, &message, &result), UE_RATE_LIMITED);
  CHECK_INT(ue_result_retry_after_ms(result), 3000);
  CHECK(in_time((long long)ue_result_elapsed_us(result) / 1000, 500));
  ue_result_free(result);
  ue_free(client);
}

static const test tests[] = {
    TEST(closing_ends_a_call_on_a_service_that_hangs),
    TEST(closing_ends_a_call_in_the_midst_of_a_handshake),
    TEST(closing_ends_a_wait_between_attempts),
    TEST(a_closed_client_refuses_and_may_be_closed_again),
    TEST(freeing_ends_the_calls_under_way_and_waits_for_them),
    TEST(a_result_outlives_its_client),
    TEST(the_interrupt_callback_ends_a_waiting_call),
    TEST(a_signal_has_the_callback_asked_at_once),
    TEST(a_callback_may_close_its_client),
    TEST(the_log_comes_on_the_calling_thread_without_key_and_content),
    TEST(a_level_leaves_out_what_matters_less),
    TEST(the_timeout_ends_a_call_in_time),
    TEST(a_wait_past_the_deadline_is_not_begun_and_is_told),
};

MAIN(tests)
