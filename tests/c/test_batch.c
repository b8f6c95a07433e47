/* Many messages in one call. */

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include "given.h"

enum { MANY = 120, USERS = 6 };

/* Messages to six users in turns. The contents are numbered. */
typedef struct many {
  ue_message messages[MANY];
  ue_result *results[MANY];
  char contents[MANY][16], ids[USERS][16];
} many;

static many *new_many(int first_id) {
  many *made = (many *)calloc(1, sizeof *made);
  CHECK(made != NULL);
  for (int i = 0; i < USERS; i++) snprintf(made->ids[i], sizeof made->ids[i], "%d", first_id + i);
  for (int i = 0; i < MANY; i++) {
    snprintf(made->contents[i], sizeof made->contents[i], "number %03d", i);
    made->messages[i] = message_to(made->ids[i % USERS]);
    made->messages[i].content = made->contents[i];
  }
  return made;
}

static void free_many(many *made) {
  for (int i = 0; i < MANY; i++) ue_result_free(made->results[i]);
  free(made);
}

static void all_are_delivered_and_each_user_gets_them_in_order(void) {
  ue_client *client = sandbox_client();
  many *sent = new_many(1300);
  CHECK_INT(ue_send_conversations(client, sent->messages, MANY, NULL, NULL, sent->results), UE_OK);
  for (int i = 0; i < MANY; i++) CHECK_INT(ue_result_delivery(sent->results[i]), UE_DELIVERED);
  for (int user = 0; user < USERS; user++) {
    char *entries = journal(sent->ids[user]);
    const char *at = entries;
    for (int i = user; i < MANY; i += USERS) {
      at = strstr(at, sent->contents[i]);
      CHECK(at != NULL && "in order");
    }
    free(entries);
    CHECK_INT(requests(sent->ids[user]), MANY / USERS);
  }
  free_many(sent);
  ue_free(client);
}

static void no_more_connections_are_used_than_allowed(void) {
  ue_options options = sandbox_options();
  options.max_connections = 2;
  ue_client *client = client_with(&options);
  many *sent = new_many(1310);
  CHECK_INT(ue_send_conversations(client, sent->messages, MANY, NULL, NULL, NULL), UE_OK);
  long seen[3] = {0};
  for (int user = 0; user < USERS; user++) {
    for (int i = 0; i < MANY / USERS; i++) {
      char *text = entry_field(sent->ids[user], i, "connection");
      long number = strtol(text, NULL, 10);
      int at = 0;
      while (at < 2 && seen[at] != 0 && seen[at] != number) at++;
      seen[at] = number;
      free(text);
    }
  }
  CHECK_INT(seen[2], 0);
  free_many(sent);
  ue_free(client);
}

static void a_bad_message_fails_alone_and_the_first_failure_is_returned(void) {
  ue_client *client = sandbox_client();
  ue_message messages[4] = {message_to("1320"), message_to("missing-1321"), message_to(""), message_to("1320")};
  ue_result *results[4];
  CHECK_INT(ue_send_conversations(client, messages, 4, NULL, NULL, results), UE_NOT_FOUND);
  static const ue_status expected[4] = {UE_OK, UE_NOT_FOUND, UE_INVALID_ARGUMENT, UE_OK};
  for (int i = 0; i < 4; i++) {
    CHECK_INT(ue_result_status(results[i]), expected[i]);
    ue_result_free(results[i]);
  }
  ue_free(client);
  CHECK_INT(requests("1320"), 2);
}

static void null_and_nothing_are_taken(void) {
  ue_client *client = sandbox_client();
  ue_message messages[2] = {message_to("1330"), message_to("1330")};
  ue_result *results[2];
  CHECK_INT(ue_send_conversations(client, NULL, 0, NULL, NULL, NULL), UE_OK);
  CHECK_INT(ue_send_conversations(client, messages, 0, NULL, NULL, results), UE_OK);
  CHECK_INT(ue_send_conversations(client, NULL, 2, NULL, NULL, NULL), UE_INVALID_ARGUMENT);
  CHECK_INT(ue_send_conversations(NULL, messages, 2, NULL, NULL, NULL), UE_INVALID_ARGUMENT);
  CHECK_INT(ue_send_conversations(NULL, messages, 2, NULL, NULL, results), UE_INVALID_ARGUMENT);
  for (int i = 0; i < 2; i++) {
    CHECK_PART(ue_result_message(results[i]), "client is NULL");
    CHECK_INT(ue_result_delivery(results[i]), UE_NOT_DELIVERED);
    ue_result_free(results[i]);
  }
  CHECK_INT(ue_send_conversations(client, NULL, 2, NULL, NULL, results), UE_INVALID_ARGUMENT);
  for (int i = 0; i < 2; i++) {
    CHECK_PART(ue_result_message(results[i]), "messages is NULL");
    ue_result_free(results[i]);
  }
  ue_free(client);
  CHECK_INT(requests("1330"), 0);
}

static void an_array_of_another_version_is_read_by_its_own_size(void) {
  ue_client *client = sandbox_client();
  const size_t older = offsetof(ue_message, client_user_id_length), newer = sizeof(ue_message) + 16;
  const size_t sizes[2] = {older, newer};
  for (int i = 0; i < 2; i++) {
    char *array = (char *)calloc(3, sizes[i]);
    for (size_t j = 0; j < 3; j++) {
      ue_message message = message_to("1340");
      message.struct_size = sizes[i];
      memcpy(array + j * sizes[i], &message, sizes[i] < sizeof message ? sizes[i] : sizeof message);
    }
    const void *fence = fenced(array, 3 * sizes[i]);
    CHECK_INT(ue_send_conversations(client, (const ue_message *)fence, 3, NULL, NULL, NULL), UE_OK);
    free(array);
  }
  ue_free(client);
  CHECK_INT(requests("1340"), 6);
}

static void a_size_that_no_version_has_is_refused_and_nothing_is_read_beyond(void) {
  static const size_t sizes[] = {0, 1, sizeof(ue_message) + 1, 1 << 20, SIZE_MAX / 2 + 1, SIZE_MAX};
  ue_client *client = sandbox_client();
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
    ue_message messages[2] = {message_to("1350"), message_to("1350")};
    ue_result *results[2];
    messages[0].struct_size = sizes[i];
    CHECK_INT(ue_send_conversations(client, (ue_message *)fenced(messages, sizeof messages), 2, NULL, NULL, results),
              UE_INVALID_ARGUMENT);
    for (int j = 0; j < 2; j++) {
      CHECK_INT(ue_result_status(results[j]), UE_INVALID_ARGUMENT);
      CHECK_PART(ue_result_message(results[j]), "struct_size");
      ue_result_free(results[j]);
    }
  }
  ue_free(client);
  CHECK_INT(requests("1350"), 0);
}

static void a_count_that_no_array_can_have_is_refused_and_nothing_is_written(void) {
  static const size_t counts[] = {SIZE_MAX, SIZE_MAX - 1, SIZE_MAX / 2 + 1, SIZE_MAX / 2,
                                  SIZE_MAX / 2 / sizeof(ue_message) + 1};
  ue_client *client = sandbox_client();
  ue_message message = message_to("1355");
  ue_result *const before = (ue_result *)&message;
  for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
    ue_result *result = before;
    CHECK_INT(ue_send_conversations(client, &message, counts[i], NULL, NULL, &result), UE_INVALID_ARGUMENT);
    CHECK(result == before);
    CHECK_INT(ue_send_conversations(client, &message, counts[i], NULL, NULL, NULL), UE_INVALID_ARGUMENT);
    CHECK_INT(ue_send_conversations(NULL, &message, counts[i], NULL, NULL, &result), UE_INVALID_ARGUMENT);
    CHECK(result == before);
  }
  ue_free(client);
  CHECK_INT(requests("1355"), 0);
}

typedef struct told {
  pthread_t thread;
  size_t times, stop_at;
} told;

static int32_t on_progress(void *argument, size_t done, size_t count) {
  told *self = (told *)argument;
  CHECK(pthread_equal(pthread_self(), self->thread));
  CHECK_INT(done, ++self->times);
  CHECK_INT(count, MANY);
  return done == self->stop_at;
}

static void progress_is_told_on_the_calling_thread_and_may_stop_the_batch(void) {
  ue_client *client = sandbox_client();
  many *sent = new_many(1360);
  told all = {pthread_self(), 0, 0};
  CHECK_INT(ue_send_conversations(client, sent->messages, MANY, on_progress, &all, NULL), UE_OK);
  CHECK_INT(all.times, MANY);

  told some = {pthread_self(), 0, 10};
  CHECK_INT(ue_send_conversations(client, sent->messages, MANY, on_progress, &some, sent->results), UE_CANCELLED);
  CHECK_INT(some.times, 10); /* and not for messages that were not begun */
  int delivered = 0, untouched = 0;
  for (int i = 0; i < MANY; i++) {
    ue_status status = ue_result_status(sent->results[i]);
    CHECK(status == UE_OK || status == UE_CANCELLED);
    delivered += status == UE_OK;
    untouched += status == UE_CANCELLED && ue_result_delivery(sent->results[i]) == UE_NOT_DELIVERED;
  }
  CHECK(delivered >= 10 && untouched > 0);
  free_many(sent);
  ue_free(client);
}

static void *close_when_one_hangs(void *client) {
  await_requests("1370", 1);
  ue_client_close((ue_client *)client);
  return NULL;
}

static void closing_from_another_thread_ends_a_batch(void) {
  order("{\"fault\": \"hang\", \"client_user_id\": \"1370\"}");
  ue_client *client = sandbox_client();
  many *sent = new_many(1370);
  pthread_t thread;
  CHECK_INT(pthread_create(&thread, NULL, close_when_one_hangs, client), 0);
  CHECK_INT(ue_send_conversations(client, sent->messages, MANY, NULL, NULL, sent->results), UE_CLOSED);
  CHECK_INT(pthread_join(thread, NULL), 0);
  CHECK_INT(ue_result_delivery(sent->results[0]), UE_DELIVERY_UNKNOWN);
  CHECK_INT(ue_result_delivery(sent->results[MANY - USERS]), UE_NOT_DELIVERED);
  free_many(sent);
  ue_free(client);
}

static int32_t always(void *unused) {
  (void)unused;
  return 1;
}

static void the_interrupt_callback_ends_a_batch(void) {
  order("{\"fault\": \"hang\", \"client_user_id\": \"1380\"}");
  ue_options options = sandbox_options();
  options.interrupt = always;
  ue_client *client = client_with(&options);
  many *sent = new_many(1380);
  CHECK_INT(ue_send_conversations(client, sent->messages, MANY, NULL, NULL, sent->results), UE_CANCELLED);
  free_many(sent);
  ue_free(client);
}

static volatile sig_atomic_t alarms;

static void on_alarm(int number) {
  (void)number;
  alarms++;
}

static void a_batch_is_delivered_under_a_timer_of_the_hosts(void) {
  struct sigaction action;
  struct itimerval timer;
  memset(&action, 0, sizeof action);
  memset(&timer, 0, sizeof timer);
  action.sa_handler = on_alarm; /* without SA_RESTART */
  CHECK(sigaction(SIGALRM, &action, NULL) == 0);
  order("{\"fault\": \"delay\", \"ms\": 100, \"client_user_id\": \"1390\", \"times\": 2}");
  ue_client *client = sandbox_client();
  many *sent = new_many(1390);
  timer.it_interval.tv_usec = timer.it_value.tv_usec = 10000;
  CHECK(setitimer(ITIMER_REAL, &timer, NULL) == 0);
  ue_status status = ue_send_conversations(client, sent->messages, MANY, NULL, NULL, NULL);
  timer.it_interval.tv_usec = timer.it_value.tv_usec = 0;
  CHECK(setitimer(ITIMER_REAL, &timer, NULL) == 0);
  CHECK_INT(status, UE_OK);
  CHECK(alarms > 5);
  free_many(sent);
  ue_free(client);
}

static void *send_many_at_once(void *client) {
  for (int i = 0; i < 3; i++) {
    many *sent = new_many(1420);
    CHECK_INT(ue_send_conversations((ue_client *)client, sent->messages, MANY, NULL, NULL, sent->results), UE_OK);
    free_many(sent);
  }
  return NULL;
}

static void several_threads_send_batches_with_one_client(void) {
  ue_client *client = sandbox_client();
  pthread_t threads[4];
  for (int i = 0; i < 4; i++) CHECK_INT(pthread_create(&threads[i], NULL, send_many_at_once, client), 0);
  for (int i = 0; i < 4; i++) CHECK_INT(pthread_join(threads[i], NULL), 0);
  ue_free(client);
  CHECK_INT(requests("1420"), 4 * 3 * MANY / USERS);
}

static const test tests[] = {
    TEST(all_are_delivered_and_each_user_gets_them_in_order),
    TEST(no_more_connections_are_used_than_allowed),
    TEST(a_bad_message_fails_alone_and_the_first_failure_is_returned),
    TEST(null_and_nothing_are_taken),
    TEST(an_array_of_another_version_is_read_by_its_own_size),
    TEST(a_size_that_no_version_has_is_refused_and_nothing_is_read_beyond),
    TEST(a_count_that_no_array_can_have_is_refused_and_nothing_is_written),
    TEST(progress_is_told_on_the_calling_thread_and_may_stop_the_batch),
    TEST(closing_from_another_thread_ends_a_batch),
    TEST(the_interrupt_callback_ends_a_batch),
    TEST(a_batch_is_delivered_under_a_timer_of_the_hosts),
    TEST(several_threads_send_batches_with_one_client),
};

MAIN(tests)
