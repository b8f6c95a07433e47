/* fork() with a queue and with a cancel handle: what was pushed stays with the parent, and the child starts afresh.
 * exit() with work in a queue. */

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "given.h"

static void wait_for(pid_t child) {
  int status = 0;
  while (waitpid(child, &status, 0) < 0) CHECK(errno == EINTR);
  CHECK(WIFEXITED(status));
  CHECK_INT(WEXITSTATUS(status), 0);
}

static pid_t fork_checked(void) {
  pid_t child = fork();
  CHECK(child >= 0);
  return child;
}

enum { WORK = 40 };

/* One message that takes long, many behind it and a finished one. */
static ue_queue *queue_with_work(ue_client *client, const char *slow, const char *other) {
  char fault[120];
  snprintf(fault, sizeof fault, "{\"fault\": \"delay\", \"ms\": 500, \"client_user_id\": \"%s\"}", slow);
  order(fault);
  ue_queue *queue = queue_with(client, NULL);
  CHECK_INT(push_to(queue, other, client), UE_OK);
  CHECK(is_readable(queue, 60000));
  for (int i = 1; i < WORK; i++) CHECK_INT(push_to(queue, i % 2 ? slow : other, client), UE_OK);
  await_requests(slow, 1);
  return queue;
}

/* Takes all results of the work, each delivered. */
static void take_the_work(ue_queue *queue, const void *user_data) {
  for (int i = 0; i < WORK; i++) check_next(queue, user_data, UE_OK, UE_DELIVERED);
  CHECK_INT(ue_queue_take(queue, NULL, 5), 0);
}

static void the_child_has_an_empty_queue_that_works_and_the_parent_gets_all_its_results(void) {
  ue_client *client = sandbox_client();
  ue_queue *queue = queue_with_work(client, "2300", "2301");
  pid_t child = fork_checked();
  if (child == 0) {
    int users[2];
    CHECK_INT(ue_queue_take(queue, NULL, WORK), 0);
    CHECK_INT(ue_queue_wait(queue, 0), UE_OK);
    CHECK_INT(ue_queue_poll(queue, 0), UE_TIMEOUT); /* though the parent has a result */
    CHECK_INT(ue_queue_cancel(queue, client), 0);
    CHECK(ue_queue_fd(queue) >= 0);
    CHECK(!is_readable(queue, 0));
    for (int i = 0; i < 2; i++) CHECK_INT(push_to(queue, "2302", &users[i]), UE_OK);
    for (int i = 0; i < 2; i++) check_next(queue, &users[i], UE_OK, UE_DELIVERED);
    CHECK(!is_readable(queue, 0));
    CHECK_INT(push_to(queue, "2302", NULL), UE_OK);
    ue_queue_free(queue);
    ue_free(client);
    _exit(0);
  }
  wait_for(child);
  take_the_work(queue, client);
  ue_queue_free(queue);
  ue_free(client);
  CHECK_INT(requests("2300") + requests("2301"), WORK);
  CHECK(requests("2302") >= 2);
}

static void a_child_may_stop_or_free_its_queue_or_leave_it_and_the_parents_goes_on(void) {
  ue_client *client = sandbox_client();
  ue_queue *queue = queue_with_work(client, "2305", "2306");
  for (int way = 0; way < 5; way++) {
    pid_t child = fork_checked();
    if (child == 0) {
      if (way == 0) ue_queue_stop(queue);
      if (way == 1) ue_queue_free(queue);
      if (way == 2) ue_free(client);
      if (way == 3) ue_client_close(client);
      if (way == 4) ue_queue_resume(queue);
      exit(0);
    }
    wait_for(child);
  }
  take_the_work(queue, client);
  ue_queue_free(queue);
  ue_free(client);
  CHECK_INT(requests("2305") + requests("2306"), WORK);
}

static void the_child_has_no_descriptor_of_the_parents_queue(void) {
  int before = descriptors();
  ue_client *client = sandbox_client();
  ue_queue *queue = queue_with(client, NULL);
  ue_cancel *cancel = ue_cancel_new(NULL);
  CHECK_INT(push_to(queue, "2310", NULL), UE_OK);
  CHECK_INT(ue_queue_wait(queue, 60000), UE_OK);
  pid_t child = fork_checked();
  if (child == 0) {
    CHECK_INT(descriptors(), before);
    CHECK_INT(push_to(queue, "2310", NULL), UE_OK);
    CHECK_INT(ue_queue_wait(queue, 60000), UE_OK);
    ue_queue_free(queue);
    ue_cancel_free(cancel);
    ue_free(client);
    CHECK_INT(descriptors(), before);
    _exit(0);
  }
  wait_for(child);
  ue_queue_free(queue);
  ue_cancel_free(cancel);
  ue_free(client);
  CHECK_INT(descriptors(), before);
}

/* Each generation pushes, and is the parent of the next. */
static void generation(ue_queue *queue, int left) {
  CHECK_INT(push_to(queue, "2315", &left), UE_OK);
  if (left > 0) {
    pid_t child = fork_checked();
    if (child == 0) {
      generation(queue, left - 1);
      _exit(0);
    }
    wait_for(child);
  }
  check_next(queue, &left, UE_OK, UE_DELIVERED);
}

static void children_of_children_have_queues_of_their_own(void) {
  ue_client *client = sandbox_client();
  ue_queue *queue = queue_with(client, NULL);
  generation(queue, 8);
  ue_queue_free(queue);
  ue_free(client);
  CHECK_INT(requests("2315"), 9);
}

static int stop;

static void *push_all_the_time(void *queue) {
  while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
    (void)push_to((ue_queue *)queue, "2320", NULL);
    (void)ue_queue_take((ue_queue *)queue, NULL, 100);
  }
  return NULL;
}

/* At any moment, threads that the child does not have may hold the queue's lock. */
static void no_child_of_a_busy_queue_hangs_on_a_lock(void) {
  ue_client *client = sandbox_client();
  ue_queue *queue = queue_with(client, NULL);
  pthread_t threads[2];
  for (int i = 0; i < 2; i++) CHECK_INT(pthread_create(&threads[i], NULL, push_all_the_time, queue), 0);
  for (int i = 0; i < 60; i++) {
    pid_t child = fork_checked();
    if (child == 0) {
      CHECK_INT(push_to(queue, "2321", client), UE_OK);
      check_next(queue, client, UE_OK, UE_DELIVERED);
      ue_queue_free(queue);
      ue_free(client);
      _exit(0);
    }
    wait_for(child);
  }
  __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
  for (int i = 0; i < 2; i++) CHECK_INT(pthread_join(threads[i], NULL), 0);
  ue_queue_free(queue);
  ue_free(client);
  CHECK_INT(requests("2321"), 60);
}

/* Forks in the fork_at-th log line. */
static int callbacks, fork_at;
static pid_t forked;

static void fork_in_the_log(void *unused, int32_t level, const char *text) {
  (void)unused, (void)level, (void)text;
  if (++callbacks == fork_at) forked = fork_checked();
}

static void a_child_that_returns_from_a_log_callback_leaves_the_results_to_its_parent(void) {
  for (fork_at = 1; fork_at <= 3; fork_at++) {
    callbacks = 0, forked = -1;
    ue_options options = sandbox_options();
    options.log = fork_in_the_log;
    options.log_level = UE_LOG_DEBUG;
    ue_client *client = client_with(&options);
    ue_queue *queue = queue_with(client, NULL);
    CHECK_INT(push_to(queue, "2325", NULL), UE_OK);
    CHECK_INT(ue_queue_wait(queue, 60000), UE_OK);
    ue_result *results[3] = {NULL, NULL, NULL};
    size_t count = ue_queue_take(queue, results, 3);
    CHECK(forked >= 0);
    CHECK_INT(count, forked == 0 ? 0 : 1);
    CHECK((results[0] == NULL) == (forked == 0));
    if (forked == 0) {
      CHECK_INT(push_to(queue, "2326", NULL), UE_OK);
      check_next(queue, NULL, UE_OK, UE_DELIVERED);
      ue_queue_free(queue);
      ue_free(client);
      _exit(0);
    }
    CHECK_INT(ue_result_status(results[0]), UE_OK);
    ue_result_free(results[0]);
    wait_for(forked);
    ue_queue_free(queue);
    ue_free(client);
  }
}

static int32_t fork_once(void *unused) {
  (void)unused;
  if (forked < 0) forked = fork_checked();
  return 0;
}

static void a_child_that_returns_from_the_interrupt_callback_of_a_wait_has_an_empty_queue(void) {
  order("{\"fault\": \"delay\", \"ms\": 400, \"client_user_id\": \"2330\"}");
  forked = -1;
  ue_options options = sandbox_options();
  options.interrupt = fork_once;
  ue_client *client = client_with(&options);
  ue_queue *queue = queue_with(client, NULL);
  CHECK_INT(push_to(queue, "2330", client), UE_OK);
  ue_status status = ue_queue_wait(queue, 60000);
  CHECK(forked >= 0);
  CHECK_INT(status, forked == 0 ? UE_CANCELLED : UE_OK);
  if (forked == 0) {
    CHECK_INT(ue_queue_take(queue, NULL, 5), 0);
    CHECK_INT(ue_queue_wait(queue, 0), UE_OK);
    ue_queue_free(queue);
    ue_free(client);
    _exit(0);
  }
  wait_for(forked);
  check_next(queue, client, UE_OK, UE_DELIVERED);
  ue_queue_free(queue);
  ue_free(client);
}

static void a_child_that_returns_from_the_interrupt_callback_of_a_poll_has_an_empty_queue(void) {
  order("{\"fault\": \"delay\", \"ms\": 400, \"client_user_id\": \"2331\"}");
  forked = -1;
  ue_options options = sandbox_options();
  options.interrupt = fork_once;
  ue_client *client = client_with(&options);
  ue_queue *queue = queue_with(client, NULL);
  CHECK_INT(push_to(queue, "2331", client), UE_OK);
  ue_status status = ue_queue_poll(queue, 60000);
  CHECK(forked >= 0);
  CHECK_INT(status, forked == 0 ? UE_CANCELLED : UE_OK);
  if (forked == 0) {
    CHECK_INT(ue_queue_poll(queue, 0), UE_TIMEOUT);
    CHECK_INT(push_to(queue, "2332", &status), UE_OK);
    CHECK_INT(ue_queue_poll(queue, 60000), UE_OK);
    check_next(queue, &status, UE_OK, UE_DELIVERED);
    ue_queue_free(queue);
    ue_free(client);
    _exit(0);
  }
  wait_for(forked);
  check_next(queue, client, UE_OK, UE_DELIVERED);
  ue_queue_free(queue);
  ue_free(client);
}

/* A call in its own thread. */
typedef struct call {
  ue_client *client;
  ue_cancel *cancel;
  const char *client_user_id;
  ue_status expected;
  pthread_t thread;
} call;

static void *make_call(void *argument) {
  const call *self = (const call *)argument;
  ue_message message = message_to(self->client_user_id);
  message.cancel = self->cancel;
  CHECK_INT(ue_send_conversation(self->client, &message, NULL), self->expected);
  return NULL;
}

static void start_call(call *self, const char *client_user_id, ue_status expected) {
  self->client_user_id = client_user_id;
  self->expected = expected;
  CHECK_INT(pthread_create(&self->thread, NULL, make_call, self), 0);
  await_requests(client_user_id, 1);
}

static void a_trigger_in_the_child_ends_its_calls_and_not_those_of_its_parent(void) {
  order("{\"fault\": \"delay\", \"ms\": 500, \"client_user_id\": \"2335\"}");
  order("{\"fault\": \"hang\", \"client_user_id\": \"2336\"}");
  call parents, childs;
  parents.client = childs.client = sandbox_client();
  parents.cancel = childs.cancel = ue_cancel_new(NULL);
  start_call(&parents, "2335", UE_OK);
  pid_t child = fork_checked();
  if (child == 0) {
    start_call(&childs, "2336", UE_CANCELLED);
    ue_cancel_trigger(childs.cancel);
    CHECK_INT(pthread_join(childs.thread, NULL), 0);
    ue_cancel_free(childs.cancel);
    ue_free(childs.client);
    _exit(0);
  }
  wait_for(child);
  CHECK_INT(pthread_join(parents.thread, NULL), 0);
  CHECK_INT(send_to(parents.client, "2337"), UE_OK);
  ue_cancel_free(parents.cancel);
  ue_free(parents.client);
}

static void a_trigger_in_the_parent_does_not_end_the_calls_of_its_child(void) {
  int ends[2];
  char byte = 0;
  CHECK(pipe(ends) == 0);
  ue_client *client = sandbox_client();
  ue_cancel *cancel = ue_cancel_new(NULL);
  ue_message message = message_to("2340");
  message.cancel = cancel;
  pid_t child = fork_checked();
  if (child == 0) {
    CHECK(read(ends[0], &byte, 1) == 1);
    CHECK_INT(ue_send_conversation(client, &message, NULL), UE_OK);
    ue_cancel_free(cancel);
    ue_free(client);
    _exit(0);
  }
  ue_cancel_trigger(cancel);
  CHECK(write(ends[1], &byte, 1) == 1);
  CHECK_INT(ue_send_conversation(client, &message, NULL), UE_CANCELLED);
  wait_for(child);
  ue_cancel_free(cancel);
  ue_free(client);
  CHECK_INT(requests("2340"), 1);
}

static ue_queue *freed_at_exit;

static void free_at_exit(void) { ue_queue_free(freed_at_exit); }

/* With messages in flight, waiting and finished. The third way frees the queue in a handler of atexit. */
static void a_process_may_exit_with_work_in_its_queue(void) {
  for (int way = 0; way < 3; way++) {
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
      char hanging[32], fault[120];
      snprintf(hanging, sizeof hanging, "exit-%d", way);
      snprintf(fault, sizeof fault, "{\"fault\": \"hang\", \"client_user_id\": \"%s\"}", hanging);
      order(fault);
      ue_client *client = sandbox_client();
      ue_queue *queue = freed_at_exit = queue_with(client, NULL);
      CHECK_INT(push_to(queue, "2210", NULL), UE_OK);
      CHECK(is_readable(queue, 60000));
      for (int i = 0; i < 50; i++) CHECK_INT(push_to(queue, hanging, NULL), UE_OK);
      for (int i = 0; i < 500; i++) CHECK_INT(push_to(queue, i % 2 ? "2211" : "2212", NULL), UE_OK);
      await_requests(hanging, 1);
      if (way == 1) ue_free(client);
      if (way == 2) CHECK(atexit(free_at_exit) == 0);
      exit(3);
    }
    int status = 0;
    while (waitpid(child, &status, 0) < 0) CHECK(errno == EINTR);
    CHECK(WIFEXITED(status));
    CHECK_INT(WEXITSTATUS(status), 3);
  }
}

static const test tests[] = {
    TEST(the_child_has_an_empty_queue_that_works_and_the_parent_gets_all_its_results),
    TEST(a_child_may_stop_or_free_its_queue_or_leave_it_and_the_parents_goes_on),
    TEST(the_child_has_no_descriptor_of_the_parents_queue),
    TEST(children_of_children_have_queues_of_their_own),
    TEST(no_child_of_a_busy_queue_hangs_on_a_lock),
    TEST(a_child_that_returns_from_a_log_callback_leaves_the_results_to_its_parent),
    TEST(a_child_that_returns_from_the_interrupt_callback_of_a_wait_has_an_empty_queue),
    TEST(a_child_that_returns_from_the_interrupt_callback_of_a_poll_has_an_empty_queue),
    TEST(a_trigger_in_the_child_ends_its_calls_and_not_those_of_its_parent),
    TEST(a_trigger_in_the_parent_does_not_end_the_calls_of_its_child),
    TEST(a_process_may_exit_with_work_in_its_queue),
};

MAIN(tests)
