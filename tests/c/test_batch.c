/* Many messages in one call. */

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

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
  CHECK_INT(ue_send_conversations(client, sent->messages, MANY, NULL, sent->results), UE_OK);
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
  CHECK_INT(ue_send_conversations(client, sent->messages, MANY, NULL, NULL), UE_OK);
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
  CHECK_INT(ue_send_conversations(client, messages, 4, NULL, results), UE_NOT_FOUND);
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
  CHECK_INT(ue_send_conversations(client, NULL, 0, NULL, NULL), UE_OK);
  CHECK_INT(ue_send_conversations(client, messages, 0, NULL, results), UE_OK);
  CHECK_INT(ue_send_conversations(client, NULL, 2, NULL, NULL), UE_INVALID_ARGUMENT);
  CHECK_INT(ue_send_conversations(NULL, messages, 2, NULL, NULL), UE_INVALID_ARGUMENT);
  CHECK_INT(ue_send_conversations(NULL, messages, 2, NULL, results), UE_INVALID_ARGUMENT);
  for (int i = 0; i < 2; i++) {
    CHECK_PART(ue_result_message(results[i]), "client is NULL");
    CHECK_INT(ue_result_delivery(results[i]), UE_NOT_DELIVERED);
    ue_result_free(results[i]);
  }
  CHECK_INT(ue_send_conversations(client, NULL, 2, NULL, results), UE_INVALID_ARGUMENT);
  for (int i = 0; i < 2; i++) {
    CHECK_PART(ue_result_message(results[i]), "messages is NULL");
    ue_result_free(results[i]);
  }
  ue_free(client);
  CHECK_INT(requests("1330"), 0);
}

static void an_array_of_another_version_is_read_by_its_own_size(void) {
  ue_client *client = sandbox_client();
  const size_t older = offsetof(ue_message, timeout_ms), newer = sizeof(ue_message) + 16;
  const size_t sizes[2] = {older, newer};
  for (int i = 0; i < 2; i++) {
    char *array = (char *)calloc(3, sizes[i]);
    for (size_t j = 0; j < 3; j++) {
      ue_message message = message_to("1340");
      message.struct_size = sizes[i];
      memcpy(array + j * sizes[i], &message, sizes[i] < sizeof message ? sizes[i] : sizeof message);
    }
    const void *fence = fenced(array, 3 * sizes[i]);
    CHECK_INT(ue_send_conversations(client, (const ue_message *)fence, 3, NULL, NULL), UE_OK);
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
    CHECK_INT(ue_send_conversations(client, (ue_message *)fenced(messages, sizeof messages), 2, NULL, results),
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
    CHECK_INT(ue_send_conversations(client, &message, counts[i], NULL, &result), UE_INVALID_ARGUMENT);
    CHECK(result == before);
    CHECK_INT(ue_send_conversations(client, &message, counts[i], NULL, NULL), UE_INVALID_ARGUMENT);
    CHECK_INT(ue_send_conversations(NULL, &message, counts[i], NULL, &result), UE_INVALID_ARGUMENT);
    CHECK(result == before);
  }
  ue_free(client);
  CHECK_INT(requests("1355"), 0);
}

/* What on_result was told, and what it answers the at-th time, and with the next the time after. */
typedef struct told {
  pthread_t thread;
  ue_result **results;
  size_t times, at;
  int32_t answer, next;
  bool seen[MANY];
  ue_status statuses[MANY];
  ue_delivery deliveries[MANY];
} told;

static told *new_told(many *sent, ue_result **results) {
  told *made = (told *)calloc(1, sizeof *made);
  CHECK(made != NULL);
  made->thread = pthread_self();
  made->results = results;
  for (int i = 0; i < MANY; i++) sent->messages[i].user_data = &made->seen[i];
  return made;
}

static int32_t on_result(void *argument, size_t index, const ue_result *result) {
  told *self = (told *)argument;
  CHECK(pthread_equal(pthread_self(), self->thread));
  CHECK(index < MANY && !self->seen[index]);
  self->seen[index] = true;
  self->statuses[index] = ue_result_status(result);
  self->deliveries[index] = ue_result_delivery(result);
  CHECK(ue_result_user_data(result) == &self->seen[index]);
  CHECK_INT(ue_result_message(result)[0] == '\0', self->statuses[index] == UE_OK);
  CHECK(self->results == NULL || self->results[index] == result);
  self->times++;
  return self->times == self->at ? self->answer : self->at != 0 && self->times > self->at ? self->next : 0;
}

static ue_batch_options telling(told *to) {
  ue_batch_options options = UE_BATCH_OPTIONS_INIT;
  options.on_result = on_result;
  options.user_data = to;
  return options;
}

static int count_deliveries(const told *from, ue_delivery delivery) {
  int count = 0;
  for (int i = 0; i < MANY; i++) count += from->seen[i] && from->deliveries[i] == delivery;
  return count;
}

static int all_requests(const many *sent) {
  int count = 0;
  for (int user = 0; user < USERS; user++) count += requests(sent->ids[user]);
  return count;
}

static void each_result_is_told_once_on_the_calling_thread(void) {
  ue_client *client = sandbox_client();
  many *sent = new_many(1360);
  for (int keeps = 0; keeps < 2; keeps++) {
    told *all = new_told(sent, keeps ? sent->results : NULL);
    ue_batch_options options = telling(all);
    CHECK_INT(ue_send_conversations(client, sent->messages, MANY, &options, all->results), UE_OK);
    CHECK_INT(all->times, MANY);
    CHECK_INT(count_deliveries(all, UE_DELIVERED), MANY);
    free(all);
  }
  free_many(sent);
  ue_free(client);
}

static void results_of_a_call_that_cannot_begin_are_not_told(void) {
  many *sent = new_many(1365);
  told *none = new_told(sent, NULL);
  ue_batch_options options = telling(none);
  CHECK_INT(ue_send_conversations(NULL, sent->messages, MANY, &options, NULL), UE_INVALID_ARGUMENT);
  CHECK_INT(none->times, 0);
  free(none);
  free_many(sent);
}

/* Ends the message that hangs once all the others are told. */
static int32_t cancel_the_last(void *cancel, size_t index, const ue_result *result) {
  static int left = MANY;
  (void)index, (void)result;
  if (--left == 1) ue_cancel_trigger((ue_cancel *)cancel);
  return UE_BATCH_CONTINUE;
}

static void a_result_is_told_while_other_messages_are_in_flight(void) {
  order("{\"fault\": \"hang\", \"client_user_id\": \"1368\"}");
  ue_client *client = sandbox_client();
  many *sent = new_many(1430);
  ue_cancel *cancel = ue_cancel_new(NULL);
  sent->messages[0].client_user_id = "1368";
  sent->messages[0].cancel = cancel;
  ue_batch_options options = UE_BATCH_OPTIONS_INIT;
  options.on_result = cancel_the_last;
  options.user_data = cancel;
  CHECK_INT(ue_send_conversations(client, sent->messages, MANY, &options, sent->results), UE_CANCELLED);
  CHECK_INT(ue_result_delivery(sent->results[0]), UE_DELIVERY_UNKNOWN);
  for (int i = 1; i < MANY; i++) CHECK_INT(ue_result_delivery(sent->results[i]), UE_DELIVERED);
  ue_cancel_free(cancel);
  free_many(sent);
  ue_free(client);
}

/* Sends a batch, and answers `answer` to the at-th result and `next` to those after it. */
static told *send_until(many *sent, size_t at, int32_t answer, int32_t next) {
  ue_client *client = sandbox_client();
  told *some = new_told(sent, NULL);
  some->at = at, some->answer = answer, some->next = next;
  ue_batch_options options = telling(some);
  CHECK_INT(ue_send_conversations(client, sent->messages, MANY, &options, NULL), UE_CANCELLED);
  ue_free(client);
  CHECK_INT(some->times, MANY); /* also those that were not begun */
  for (int i = 0; i < MANY; i++) CHECK(some->statuses[i] == UE_OK || some->statuses[i] == UE_CANCELLED);
  CHECK(count_deliveries(some, UE_NOT_DELIVERED) > 0);
  return some;
}

static void after_finish_none_is_begun_and_none_becomes_unknown(void) {
  static const int32_t answers[] = {UE_BATCH_FINISH, 7, -1}; /* so do values that mean nothing */
  for (int i = 0; i < 3; i++) {
    many *sent = new_many(1440 + i * USERS);
    char fault[160];
    snprintf(fault, sizeof fault, "{\"fault\": \"delay\", \"ms\": 300, \"client_user_id\": \"%s\", \"times\": 1}",
             sent->ids[0]);
    order(fault);
    told *some = send_until(sent, 10, answers[i], UE_BATCH_CONTINUE);
    CHECK_INT(some->deliveries[0], UE_DELIVERED); /* it was in flight */
    CHECK(count_deliveries(some, UE_DELIVERED) >= 10);
    CHECK_INT(count_deliveries(some, UE_DELIVERY_UNKNOWN), 0);
    CHECK_INT(all_requests(sent), count_deliveries(some, UE_DELIVERED));
    free(some);
    free_many(sent);
  }
}

static void abort_ends_what_is_in_flight_also_after_finish(void) {
  static const int32_t answers[] = {UE_BATCH_ABORT, UE_BATCH_FINISH};
  for (int i = 0; i < 2; i++) {
    many *sent = new_many(1460 + i * USERS);
    char fault[160];
    snprintf(fault, sizeof fault, "{\"fault\": \"hang\", \"client_user_id\": \"%s\"}", sent->ids[0]);
    order(fault);
    told *some = send_until(sent, 10, answers[i], UE_BATCH_ABORT);
    CHECK_INT(some->deliveries[0], UE_DELIVERY_UNKNOWN);
    CHECK(count_deliveries(some, UE_DELIVERED) + count_deliveries(some, UE_DELIVERY_UNKNOWN) >= all_requests(sent));
    CHECK(count_deliveries(some, UE_DELIVERED) <= all_requests(sent));
    free(some);
    free_many(sent);
  }
}

/* Writes the number of each delivered message to a pipe, in one byte. */
static int32_t write_down(void *pipe, size_t index, const ue_result *result) {
  unsigned char number = (unsigned char)index;
  if (ue_result_delivery(result) == UE_DELIVERED) CHECK(write(*(int *)pipe, &number, 1) == 1);
  return UE_BATCH_CONTINUE;
}

/* Kills a process in its batch, after it has told `most`. Returns how many it had told, and which. */
static int kill_after(int most, uint32_t connections, many *sent, bool *is_told) {
  int ends[2], count = 0;
  CHECK(pipe(ends) == 0);
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    ue_options options = sandbox_options();
    options.max_connections = connections;
    ue_batch_options batch = UE_BATCH_OPTIONS_INIT;
    batch.on_result = write_down;
    batch.user_data = &ends[1];
    CHECK_INT(ue_send_conversations(client_with(&options), sent->messages, MANY, &batch, NULL), UE_OK);
    _exit(0);
  }
  close(ends[1]);
  unsigned char number;
  for (; count < MANY && read(ends[0], &number, 1) == 1; count++) {
    CHECK(number < MANY && !is_told[number]);
    is_told[number] = true;
    if (count + 1 == most) CHECK(kill(child, SIGKILL) == 0);
  }
  close(ends[0]);
  int status = 0;
  CHECK(waitpid(child, &status, 0) == child && WIFSIGNALED(status));
  return count;
}

/* Whether the sandbox has a conversation with this message. */
static bool has_arrived(const many *sent, int index) {
  char *entries = journal(sent->messages[index].client_user_id);
  bool is_there = strstr(entries, sent->contents[index]) != NULL;
  free(entries);
  return is_there;
}

static void a_program_killed_in_a_batch_has_told_what_it_sent(void) {
  /* Each has a user of its own, so they are begun in order. Two hang on the two connections: all before them are told,
   * and none after them is begun. */
  enum { BEFORE = 60 };
  bool is_told[MANY] = {false};
  char ids[MANY][16];
  many *sent = new_many(1480);
  for (int i = 0; i < MANY; i++) {
    snprintf(ids[i], sizeof ids[i], "told-%03d", i);
    sent->messages[i].client_user_id = ids[i];
  }
  order("{\"fault\": \"hang\", \"client_user_id\": \"told-060\"}");
  order("{\"fault\": \"hang\", \"client_user_id\": \"told-061\"}");
  CHECK_INT(kill_after(BEFORE, 2, sent, is_told), BEFORE);
  for (int i = 0; i < MANY; i++) {
    CHECK_INT(is_told[i], i < BEFORE);
    if (i != BEFORE && i != BEFORE + 1) CHECK_INT(has_arrived(sent, i), is_told[i]);
  }
  free_many(sent);

  /* Killed anywhere: what was told has arrived. One message hangs, so that the batch does not end before. */
  bool is_told_too[MANY] = {false};
  sent = new_many(1490);
  sent->messages[0].client_user_id = "1496";
  order("{\"fault\": \"hang\", \"client_user_id\": \"1496\"}");
  CHECK(kill_after(20, 0, sent, is_told_too) >= 20);
  for (int i = 0; i < MANY; i++) CHECK(!is_told_too[i] || has_arrived(sent, i));
  free_many(sent);
}

/* A batch to a service that fails with this for everyone. Returns how many messages were begun. */
static int begun_in_an_outage(int first_id, const char *failure, uint32_t most, uint32_t connections,
                              ue_status status) {
  many *sent = new_many(first_id);
  for (int user = 0; user < USERS; user++) {
    char fault[200];
    snprintf(fault, sizeof fault, "{%s, \"client_user_id\": \"%s\", \"times\": 1000}", failure, sent->ids[user]);
    order(fault);
  }
  ue_options options = sandbox_options();
  options.max_attempts = 1;
  options.max_connections = connections;
  ue_client *client = client_with(&options);
  ue_batch_options batch = UE_BATCH_OPTIONS_INIT;
  batch.max_failures_in_a_row = most;
  CHECK_INT(ue_send_conversations(client, sent->messages, MANY, &batch, sent->results), status);
  ue_free(client);
  int begun = 0;
  for (int i = 0; i < MANY; i++) {
    const ue_result *result = sent->results[i];
    if (ue_result_status(result) != UE_SUSPENDED) {
      CHECK_INT(ue_result_status(result), status);
      begun++;
      continue;
    }
    CHECK_INT(ue_result_delivery(result), UE_NOT_DELIVERED);
    CHECK_INT(ue_result_retry(result), UE_RETRY_LATER);
    CHECK_INT(ue_result_attempts(result), 0);
    CHECK_PART(ue_result_message(result), "max_failures_in_a_row");
  }
  CHECK_INT(all_requests(sent), begun);
  free_many(sent);
  return begun;
}

static void an_outage_fails_no_more_messages_than_allowed_in_a_row(void) {
  static const char failure[] = "\"fault\": \"status\", \"status\": 503";
  static const char reset[] = "\"fault\": \"reset\", \"where\": \"before-status\"";
  CHECK_INT(begun_in_an_outage(1500, failure, 3, 1, UE_SERVER_ERROR), 3);
  CHECK_INT(begun_in_an_outage(1510, reset, 10, 1, UE_CONNECTION_LOST), 10);
  CHECK_INT(begun_in_an_outage(1520, failure, 5, 4, UE_SERVER_ERROR), 5);
  CHECK(begun_in_an_outage(1530, failure, 3, 6, UE_SERVER_ERROR) <=
        6); /* so many were in flight at the first failure */
}

static void an_outage_fails_all_messages_by_default(void) {
  static const char failure[] = "\"fault\": \"status\", \"status\": 503";
  CHECK_INT(begun_in_an_outage(1540, failure, 0, 1, UE_SERVER_ERROR), MANY);
}

static void a_wrong_key_suspends_a_batch(void) {
  ue_options options = sandbox_options();
  options.max_connections = 1;
  ue_client *client = ue_client_new("wrong", &options, NULL);
  ue_batch_options batch = UE_BATCH_OPTIONS_INIT;
  batch.max_failures_in_a_row = 2;
  ue_message messages[5];
  ue_result *results[5];
  for (int i = 0; i < 5; i++) messages[i] = message_to("1550");
  CHECK_INT(ue_send_conversations(client, messages, 5, &batch, results), UE_UNAUTHORIZED);
  for (int i = 0; i < 5; i++) {
    CHECK_INT(ue_result_status(results[i]), i < 2 ? UE_UNAUTHORIZED : UE_SUSPENDED);
    if (i >= 2) CHECK_PART(ue_result_message(results[i]), "401");
    ue_result_free(results[i]);
  }
  ue_free(client);
}

static void failures_that_are_the_messages_own_do_not_suspend_a_batch(void) {
  ue_client *client = sandbox_client();
  ue_batch_options batch = UE_BATCH_OPTIONS_INIT;
  batch.max_failures_in_a_row = 1;
  ue_message messages[9];
  ue_result *results[9];
  for (int i = 0; i < 9; i++) messages[i] = message_to(i < 4 ? "missing-1551" : i < 8 ? "" : "1551");
  CHECK_INT(ue_send_conversations(client, messages, 9, &batch, results), UE_NOT_FOUND);
  for (int i = 0; i < 9; i++) {
    CHECK_INT(ue_result_status(results[i]), i < 4 ? UE_NOT_FOUND : i < 8 ? UE_INVALID_ARGUMENT : UE_OK);
    ue_result_free(results[i]);
  }
  ue_free(client);
}

static void a_success_between_failures_starts_the_count_again(void) {
  ue_options options = sandbox_options();
  options.max_connections = 1, options.max_attempts = 1;
  ue_client *client = client_with(&options);
  ue_batch_options batch = UE_BATCH_OPTIONS_INIT;
  batch.max_failures_in_a_row = 3;
  ue_message messages[30];
  ue_result *results[30];
  char ids[30][16]; /* each of its own: begun in order */
  for (int i = 0; i < 30; i++) {
    snprintf(ids[i], sizeof ids[i], "again-%d", i);
    messages[i] = message_to(ids[i]);
    char fault[120];
    snprintf(fault, sizeof fault, "{\"fault\": \"status\", \"status\": 503, \"client_user_id\": \"%s\"}", ids[i]);
    if (i % 3 != 2) order(fault);
  }
  CHECK_INT(ue_send_conversations(client, messages, 30, &batch, results), UE_SERVER_ERROR);
  for (int i = 0; i < 30; i++) {
    CHECK_INT(ue_result_status(results[i]), i % 3 == 2 ? UE_OK : UE_SERVER_ERROR);
    ue_result_free(results[i]);
  }
  ue_free(client);
}

static void options_of_a_batch_that_cannot_be_used_are_refused(void) {
  ue_client *client = sandbox_client();
  ue_message message = message_to("1554");
  ue_batch_options batch = UE_BATCH_OPTIONS_INIT;
  ue_result *result = NULL;
  batch.struct_size--;
  CHECK_INT(ue_send_conversations(client, &message, 1, &batch, &result), UE_INVALID_ARGUMENT);
  CHECK_PART(ue_result_message(result), "UE_BATCH_OPTIONS_INIT");
  ue_result_free(result);
  ue_free(client);
  CHECK_INT(requests("1554"), 0);
}

static void each_message_of_a_batch_has_its_own_timeout_and_user_data(void) {
  order("{\"fault\": \"hang\", \"client_user_id\": \"1555\"}");
  order("{\"fault\": \"delay\", \"ms\": 400, \"client_user_id\": \"1556\"}");
  static const char *const ids[] = {"1555", "1556"};
  static const uint32_t timeouts[] = {500, 20000}, of_clients[] = {20000, 200};
  static const ue_status statuses[] = {UE_TIMEOUT, UE_OK};
  for (int i = 0; i < 2; i++) { /* a shorter one than the client's, and a longer one */
    ue_options options = sandbox_options();
    options.timeout_ms = of_clients[i];
    ue_client *client = client_with(&options);
    ue_message messages[2] = {message_to(ids[i]), message_to("1557")};
    ue_result *results[2];
    messages[0].timeout_ms = timeouts[i];
    for (int j = 0; j < 2; j++) messages[j].user_data = &messages[j];
    CHECK_INT(ue_send_conversations(client, messages, 2, NULL, results), statuses[i]);
    CHECK(in_time((long long)ue_result_elapsed_us(results[0]) / 1000, 10000));
    for (int j = 0; j < 2; j++) {
      CHECK_INT(ue_result_status(results[j]), j == 0 ? statuses[i] : UE_OK);
      CHECK(ue_result_user_data(results[j]) == &messages[j]);
      ue_result_free(results[j]);
    }
    ue_free(client);
  }
}

static ue_cancel *of_the_batch;

static void cancel_the_batch(int number) {
  (void)number;
  ue_cancel_trigger(of_the_batch);
}

static int32_t raise_a_signal(void *unused, size_t index, const ue_result *result) {
  (void)unused, (void)index;
  if (ue_result_delivery(result) == UE_DELIVERED) raise(SIGINT);
  return UE_BATCH_CONTINUE;
}

static void a_signal_handler_ends_a_batch_without_any_callback(void) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = cancel_the_batch;
  action.sa_flags = SA_RESTART;
  CHECK(sigaction(SIGINT, &action, NULL) == 0);
  order("{\"fault\": \"hang\", \"client_user_id\": \"1560\"}");
  of_the_batch = ue_cancel_new(NULL);
  ue_client *client = sandbox_client();
  many *sent = new_many(1560);
  ue_batch_options options = UE_BATCH_OPTIONS_INIT;
  options.on_result = raise_a_signal;
  options.cancel = of_the_batch;
  CHECK_INT(ue_send_conversations(client, sent->messages, MANY, &options, sent->results), UE_CANCELLED);
  CHECK_INT(ue_result_delivery(sent->results[0]), UE_DELIVERY_UNKNOWN);
  CHECK_INT(ue_result_status(sent->results[MANY - USERS]), UE_CANCELLED);
  CHECK_INT(ue_result_delivery(sent->results[MANY - USERS]), UE_NOT_DELIVERED);
  CHECK_INT(ue_result_retry(sent->results[MANY - USERS]), UE_RETRY_LATER);
  free_many(sent);

  /* It stays triggered: no later batch with it is begun. */
  sent = new_many(1570);
  for (int i = 0; i < 60; i++)
    CHECK_INT(ue_send_conversations(client, sent->messages, MANY, &options, NULL), UE_CANCELLED);
  CHECK_INT(all_requests(sent), 0);
  free_many(sent);
  ue_cancel_free(of_the_batch);
  ue_free(client);
}

/* Sends a message of its own for each result, and closes the client after the tenth. */
static int32_t send_and_close(void *client, size_t index, const ue_result *result) {
  static int count = 0;
  (void)index, (void)result;
  if (++count <= 10) CHECK_INT(send_to((ue_client *)client, "1576"), UE_OK);
  if (count == 10) ue_client_close((ue_client *)client);
  return UE_BATCH_CONTINUE;
}

static void on_result_may_send_with_its_client_and_close_it(void) {
  order("{\"fault\": \"hang\", \"client_user_id\": \"1580\"}");
  ue_client *client = sandbox_client();
  many *sent = new_many(1580);
  ue_batch_options options = UE_BATCH_OPTIONS_INIT;
  options.on_result = send_and_close;
  options.user_data = client;
  CHECK_INT(ue_send_conversations(client, sent->messages, MANY, &options, sent->results), UE_CLOSED);
  CHECK_INT(ue_result_delivery(sent->results[0]), UE_DELIVERY_UNKNOWN);
  CHECK_INT(ue_result_delivery(sent->results[MANY - USERS]), UE_NOT_DELIVERED);
  free_many(sent);
  ue_free(client);
  CHECK_INT(requests("1576"), 10);
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
  CHECK_INT(ue_send_conversations(client, sent->messages, MANY, NULL, sent->results), UE_CLOSED);
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
  CHECK_INT(ue_send_conversations(client, sent->messages, MANY, NULL, sent->results), UE_CANCELLED);
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
  ue_status status = ue_send_conversations(client, sent->messages, MANY, NULL, NULL);
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
    CHECK_INT(ue_send_conversations((ue_client *)client, sent->messages, MANY, NULL, sent->results), UE_OK);
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
    TEST(each_result_is_told_once_on_the_calling_thread),
    TEST(results_of_a_call_that_cannot_begin_are_not_told),
    TEST(a_result_is_told_while_other_messages_are_in_flight),
    TEST(after_finish_none_is_begun_and_none_becomes_unknown),
    TEST(abort_ends_what_is_in_flight_also_after_finish),
    TEST(a_program_killed_in_a_batch_has_told_what_it_sent),
    TEST(an_outage_fails_no_more_messages_than_allowed_in_a_row),
    TEST(an_outage_fails_all_messages_by_default),
    TEST(a_wrong_key_suspends_a_batch),
    TEST(failures_that_are_the_messages_own_do_not_suspend_a_batch),
    TEST(a_success_between_failures_starts_the_count_again),
    TEST(options_of_a_batch_that_cannot_be_used_are_refused),
    TEST(each_message_of_a_batch_has_its_own_timeout_and_user_data),
    TEST(a_signal_handler_ends_a_batch_without_any_callback),
    TEST(on_result_may_send_with_its_client_and_close_it),
    TEST(closing_from_another_thread_ends_a_batch),
    TEST(the_interrupt_callback_ends_a_batch),
    TEST(a_batch_is_delivered_under_a_timer_of_the_hosts),
    TEST(several_threads_send_batches_with_one_client),
};

MAIN(tests)
