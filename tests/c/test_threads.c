/* One client, one result, many threads. */

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "given.h"

enum { THREADS = 16, EACH = 20 };

typedef struct worker {
  pthread_t thread;
  ue_client *client;
  int number;
} worker;

static void run_all(worker *workers, void *(*run)(void *), ue_client *client) {
  for (int i = 0; i < THREADS; i++) {
    workers[i].number = i;
    workers[i].client = client;
    CHECK_INT(pthread_create(&workers[i].thread, NULL, run, &workers[i]), 0);
  }
  for (int i = 0; i < THREADS; i++) CHECK_INT(pthread_join(workers[i].thread, NULL), 0);
}

/* Sends to its own user, and sometimes to a missing one. That answer must not reach another thread. */
static void *send_some(void *argument) {
  const worker *self = (const worker *)argument;
  char id[32], missing[32];
  snprintf(id, sizeof id, "90%d", self->number);
  snprintf(missing, sizeof missing, "missing-%d", self->number);
  for (int i = 0; i < EACH; i++) {
    int is_missing = i % 5 == self->number % 5;
    ue_message message = message_to(is_missing ? missing : id);
    ue_result *result = NULL;
    CHECK_INT(ue_send_conversation(self->client, &message, &result), is_missing ? UE_NOT_FOUND : UE_OK);
    CHECK_TEXT(ue_result_detail(result), is_missing ? "Not found." : "");
    ue_result_free(result);
  }
  return NULL;
}

static void sixteen_threads_share_a_client_and_each_gets_its_own_answers(void) {
  worker workers[THREADS];
  ue_client *client = sandbox_client();
  run_all(workers, send_some, client);
  ue_free(client);
  for (int i = 0; i < THREADS; i++) {
    char id[32];
    snprintf(id, sizeof id, "90%d", i);
    CHECK_INT(requests(id), EACH - EACH / 5);
  }
}

static void *make_send_and_free(void *argument) {
  const worker *self = (const worker *)argument;
  char id[32];
  snprintf(id, sizeof id, "92%d", self->number);
  for (int i = 0; i < 5; i++) {
    ue_client *client = sandbox_client();
    CHECK_INT(send_to(client, id), UE_OK);
    ue_free(client);
  }
  return NULL;
}

static void sixteen_threads_have_clients_of_their_own(void) {
  worker workers[THREADS];
  run_all(workers, make_send_and_free, NULL);
}

static void *send_until_closed(void *argument) {
  const worker *self = (const worker *)argument;
  ue_status status;
  do status = send_to(self->client, "940");
  while (status == UE_OK);
  CHECK_INT(status, UE_CLOSED);
  return NULL;
}

static void closing_from_several_threads_ends_the_sends_of_all(void) {
  worker workers[THREADS];
  ue_client *client = sandbox_client();
  for (int i = 0; i < THREADS; i++) {
    workers[i].client = client;
    CHECK_INT(pthread_create(&workers[i].thread, NULL, send_until_closed, &workers[i]), 0);
  }
  await_requests("940", THREADS);
  ue_client_close(client);
  ue_client_close(client);
  for (int i = 0; i < THREADS; i++) CHECK_INT(pthread_join(workers[i].thread, NULL), 0);
  ue_free(client);
}

static ue_result *shared;

static void *read_the_result(void *unused) {
  (void)unused;
  for (int i = 0; i < 1000; i++) {
    CHECK_INT(ue_result_status(shared), UE_NOT_FOUND);
    CHECK_TEXT(ue_result_detail(shared), "Not found.");
    CHECK_PART(ue_result_body(shared, NULL), "detail");
  }
  return NULL;
}

static void a_result_is_read_by_sixteen_threads_and_freed_by_another(void) {
  worker workers[THREADS];
  ue_client *client = sandbox_client();
  ue_message message = message_to("missing-950");
  CHECK_INT(ue_send_conversation(client, &message, &shared), UE_NOT_FOUND);
  run_all(workers, read_the_result, NULL);
  ue_result_free(shared);
  ue_free(client);
}

static void *send_over_tls(void *argument) {
  const worker *self = (const worker *)argument;
  CHECK_INT(send_to(self->client, "960"), UE_OK);
  return NULL;
}

static void a_stack_of_128_kib_is_enough_for_tls(void) {
  ue_options options = UE_OPTIONS_INIT;
  options.base_url = the_sandbox.tls_base_url;
  options.ca_file = the_sandbox.ca_file;
  worker one;
  one.client = client_with(&options);
  pthread_attr_t small;
  CHECK_INT(pthread_attr_init(&small), 0);
  CHECK_INT(pthread_attr_setstacksize(&small, 128 * 1024), 0);
  CHECK_INT(pthread_create(&one.thread, &small, send_over_tls, &one), 0);
  CHECK_INT(pthread_join(one.thread, NULL), 0);
  pthread_attr_destroy(&small);
  ue_free(one.client);
}

static const test tests[] = {
    TEST(sixteen_threads_share_a_client_and_each_gets_its_own_answers),
    TEST(sixteen_threads_have_clients_of_their_own),
    TEST(closing_from_several_threads_ends_the_sends_of_all),
    TEST(a_result_is_read_by_sixteen_threads_and_freed_by_another),
    TEST(a_stack_of_128_kib_is_enough_for_tls),
};

MAIN(tests)
