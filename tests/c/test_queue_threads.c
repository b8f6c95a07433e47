/* A queue that many threads use at once, and what it leaves of threads and descriptors. */

#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "given.h"

enum { MESSAGES = 10000, THREADS = 16, TAKERS = 3, CANCELLERS = 2, USERS = 40 };

/* What 16 threads push while others take and cancel. */
static ue_queue *shared;
static int times[MESSAGES];
static int pushed, taken, cancelled, delivered, ends;

static void *push_some(void *argument) {
  int first = (int)(intptr_t)argument;
  char id[32];
  for (int i = first; i < MESSAGES; i += THREADS) {
    snprintf(id, sizeof id, "many-%d", i % USERS);
    while (push_to(shared, id, &times[i]) != UE_OK) sched_yield(); /* it is full */
    __atomic_fetch_add(&pushed, 1, __ATOMIC_RELAXED);
  }
  return NULL;
}

static void *take_some(void *unused) {
  ue_result *results[32];
  (void)unused;
  while (__atomic_load_n(&taken, __ATOMIC_RELAXED) < MESSAGES) {
    (void)is_readable(shared, 20); /* another thread may be faster */
    size_t count = ue_queue_take(shared, results, 32);
    for (size_t i = 0; i < count; i++) {
      ue_status status = ue_result_status(results[i]);
      CHECK(status == UE_OK || status == UE_CANCELLED);
      __atomic_fetch_add((int *)ue_result_user_data(results[i]), 1, __ATOMIC_RELAXED);
      __atomic_fetch_add(status == UE_OK ? &delivered : &cancelled, 1, __ATOMIC_RELAXED);
      ue_result_free(results[i]);
    }
    __atomic_fetch_add(&taken, (int)count, __ATOMIC_RELAXED);
  }
  return NULL;
}

static void *cancel_some(void *argument) {
  unsigned random = (unsigned)(intptr_t)argument + 1;
  while (!__atomic_load_n(&ends, __ATOMIC_RELAXED)) {
    random = random * 1103515245 + 12345;
    (void)ue_queue_cancel(shared, &times[random / 65536 % MESSAGES]);
    sched_yield();
  }
  return NULL;
}

static void of_ten_thousand_messages_of_16_threads_each_gets_one_result(void) {
  ue_client *client = sandbox_client();
  ue_queue_options options = UE_QUEUE_OPTIONS_INIT;
  options.capacity = 700;
  shared = queue_with(client, &options);
  pthread_t pushers[THREADS], takers[TAKERS], cancellers[CANCELLERS];
  for (intptr_t i = 0; i < CANCELLERS; i++) CHECK_INT(pthread_create(&cancellers[i], NULL, cancel_some, (void *)i), 0);
  for (intptr_t i = 0; i < THREADS; i++) CHECK_INT(pthread_create(&pushers[i], NULL, push_some, (void *)i), 0);
  for (int i = 0; i < TAKERS; i++) CHECK_INT(pthread_create(&takers[i], NULL, take_some, NULL), 0);
  for (int i = 0; i < THREADS; i++) CHECK_INT(pthread_join(pushers[i], NULL), 0);
  for (int i = 0; i < TAKERS; i++) CHECK_INT(pthread_join(takers[i], NULL), 0);
  __atomic_store_n(&ends, 1, __ATOMIC_RELAXED);
  for (int i = 0; i < CANCELLERS; i++) CHECK_INT(pthread_join(cancellers[i], NULL), 0);
  CHECK_INT(pushed, MESSAGES);
  CHECK_INT(taken, MESSAGES);
  for (int i = 0; i < MESSAGES; i++) CHECK_INT(times[i], 1);
  CHECK_INT(ue_queue_wait(shared, 0), UE_OK);
  CHECK_INT(ue_queue_take(shared, NULL, 1), 0);
  CHECK(!is_readable(shared, 0));
  ue_queue_free(shared);
  ue_free(client);
  int arrived = 0;
  char id[32];
  for (int i = 0; i < USERS; i++) {
    snprintf(id, sizeof id, "many-%d", i);
    arrived += requests(id);
  }
  CHECK(arrived >= delivered && arrived <= MESSAGES);
  CHECK(delivered + cancelled == MESSAGES && delivered > 0);
}

static void *push_until_closed(void *queue) {
  ue_status status;
  do status = push_to((ue_queue *)queue, "2200", NULL);
  while (status == UE_OK || status == UE_QUEUE_FULL);
  CHECK_INT(status, UE_CLOSED);
  return NULL;
}

static void the_client_may_be_closed_while_threads_push(void) {
  ue_client *client = sandbox_client();
  ue_queue *queue = queue_with(client, NULL);
  pthread_t threads[4];
  for (int i = 0; i < 4; i++) CHECK_INT(pthread_create(&threads[i], NULL, push_until_closed, queue), 0);
  await_requests("2200", 10);
  ue_client_close(client);
  for (int i = 0; i < 4; i++) CHECK_INT(pthread_join(threads[i], NULL), 0);
  CHECK_INT(ue_queue_wait(queue, 60000), UE_OK);
  ue_queue_free(queue);
  ue_free(client);
}

static void *free_the_client(void *client) {
  ue_free((ue_client *)client);
  return NULL;
}

static void queue_and_client_may_be_freed_at_the_same_time(void) {
  for (int i = 0; i < 30; i++) {
    ue_client *client = sandbox_client();
    ue_queue *queue = queue_with(client, NULL);
    for (int j = 0; j < 20; j++) CHECK_INT(push_to(queue, j % 2 ? "2201" : "2202", NULL), UE_OK);
    pthread_t thread;
    CHECK_INT(pthread_create(&thread, NULL, free_the_client, client), 0);
    ue_queue_free(queue);
    CHECK_INT(pthread_join(thread, NULL), 0);
  }
}

/* Frees a queue with its work done, stopped, or in the midst of it; every second one has deadlines of messages that wait. */
static void use_a_queue(ue_client *client, int number) {
  ue_queue_options options = UE_QUEUE_OPTIONS_INIT;
  options.timeout_from = number % 2;
  ue_queue *queue = queue_with(client, &options);
  for (int i = 0; i < 3; i++) CHECK_INT(push_to(queue, i == 2 ? "2206" : "2205", NULL), UE_OK);
  if (number % 3 == 0) CHECK_INT(ue_queue_wait(queue, 60000), UE_OK);
  if (number % 3 == 1) ue_queue_stop(queue);
  ue_queue_free(queue);
}

static void a_thousand_queues_leave_no_thread_and_no_descriptor(void) {
  ue_options options = sandbox_options();
  options.max_connections = 1;
  ue_client *client = client_with(&options);
  use_a_queue(client, 0); /* leaves an idle connection; a checker starts a thread of its own */
  int before = descriptors(), running = threads();
  for (int i = 1; i < (is_checked() ? 100 : 1000); i++) use_a_queue(client, i);
  long long give_up = now_ms() + 20000;
  while (threads() > running) CHECK(now_ms() < give_up); /* the kernel may remove the last one a moment later */
  CHECK(descriptors() <= before);                        /* a connection in use at the end is closed */
  ue_free(client);
}

static void without_descriptors_there_is_an_error_and_later_a_delivery(void) {
  struct rlimit limit, low;
  ue_options options = sandbox_options();
  options.max_attempts = 1;
  ue_client *client = client_with(&options);
  ue_queue *queue = queue_with(client, NULL);
  CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
  low = limit;
  low.rlim_cur = 64;
  CHECK(setrlimit(RLIMIT_NOFILE, &low) == 0);
  while (dup(0) >= 0) {
  }
  ue_result *made = NULL;
  ue_queue *second = ue_queue_new(client, NULL, &made);
  ue_status accepted = push_to(queue, "2207", client), waited = ue_queue_wait(queue, 60000);
  CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
  CHECK(second == NULL);
  CHECK_INT(ue_result_status(made), UE_CONNECT);
  ue_result_free(made);
  CHECK_INT(accepted, UE_OK);
  CHECK_INT(waited, UE_OK);
  check_next(queue, client, UE_CONNECT, UE_NOT_DELIVERED);
  CHECK_INT(push_to(queue, "2207", NULL), UE_OK);
  check_next(queue, NULL, UE_OK, UE_DELIVERED);
  ue_queue_free(queue);
  ue_free(client);
  CHECK_INT(requests("2207"), 1);
}

static const test tests[] = {
    TEST(of_ten_thousand_messages_of_16_threads_each_gets_one_result),
    TEST(the_client_may_be_closed_while_threads_push),
    TEST(queue_and_client_may_be_freed_at_the_same_time),
    TEST(a_thousand_queues_leave_no_thread_and_no_descriptor),
    TEST(without_descriptors_there_is_an_error_and_later_a_delivery),
};

MAIN(tests)
