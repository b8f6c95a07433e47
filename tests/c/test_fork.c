/* fork(): parent and child both go on with the client, each on its own connections. */

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

/* The number of the connection of a request. */
static long connection_of(const char *client_user_id, int entry) {
  char *text = entry_field(client_user_id, entry, "connection");
  long number = strtol(text, NULL, 10);
  CHECK(number > 0);
  free(text);
  return number;
}

static void the_child_has_connections_of_its_own(void) {
  ue_client *client = sandbox_client();
  CHECK_INT(send_to(client, "1000"), UE_OK);
  pid_t child = fork_checked();
  if (child == 0) {
    CHECK_INT(send_to(client, "1001"), UE_OK);
    CHECK_INT(send_to(client, "1001"), UE_OK);
    ue_free(client);
    _exit(0);
  }
  wait_for(child);
  CHECK_INT(send_to(client, "1000"), UE_OK);
  ue_free(client);
  CHECK(connection_of("1000", 0) == connection_of("1000", 1));
  CHECK(connection_of("1001", 0) == connection_of("1001", 1));
  CHECK(connection_of("1000", 0) != connection_of("1001", 0));
}

static void over_tls_too_the_child_has_connections_of_its_own(void) {
  ue_options options = UE_OPTIONS_INIT;
  options.base_url = the_sandbox.tls_base_url;
  options.ca_file = the_sandbox.ca_file;
  ue_client *client = client_with(&options);
  CHECK_INT(send_to(client, "1010"), UE_OK);
  pid_t child = fork_checked();
  if (child == 0) {
    CHECK_INT(send_to(client, "1011"), UE_OK);
    ue_free(client);
    _exit(0);
  }
  wait_for(child);
  CHECK_INT(send_to(client, "1010"), UE_OK);
  ue_free(client);
  CHECK(connection_of("1010", 0) == connection_of("1010", 1));
  CHECK(connection_of("1010", 0) != connection_of("1011", 0));
}

static void children_of_children_have_them_too(void) {
  ue_client *client = sandbox_client();
  CHECK_INT(send_to(client, "1020"), UE_OK);
  pid_t child = fork_checked();
  if (child == 0) {
    CHECK_INT(send_to(client, "1021"), UE_OK);
    pid_t grandchild = fork_checked();
    if (grandchild == 0) {
      CHECK_INT(send_to(client, "1022"), UE_OK);
      ue_free(client);
      _exit(0);
    }
    wait_for(grandchild);
    CHECK_INT(send_to(client, "1021"), UE_OK);
    ue_free(client);
    _exit(0);
  }
  wait_for(child);
  ue_free(client);
  CHECK(connection_of("1021", 0) == connection_of("1021", 1));
  CHECK(connection_of("1020", 0) != connection_of("1021", 0));
  CHECK(connection_of("1021", 0) != connection_of("1022", 0));
}

static void a_child_that_never_uses_the_client_may_free_or_leave_it(void) {
  ue_client *client = sandbox_client();
  CHECK_INT(send_to(client, "1030"), UE_OK);
  for (int frees = 0; frees < 2; frees++) {
    pid_t child = fork_checked();
    if (child == 0) {
      if (frees) ue_free(client);
      exit(0);
    }
    wait_for(child);
    CHECK_INT(send_to(client, "1030"), UE_OK);
  }
  ue_free(client);
  CHECK(connection_of("1030", 0) == connection_of("1030", 2));
}

static void closing_in_the_child_leaves_the_parent_open_and_the_other_way_round(void) {
  ue_client *client = sandbox_client();
  CHECK_INT(send_to(client, "1040"), UE_OK);
  pid_t child = fork_checked();
  if (child == 0) {
    ue_client_close(client);
    CHECK_INT(send_to(client, "1041"), UE_CLOSED);
    _exit(0);
  }
  wait_for(child);
  CHECK_INT(send_to(client, "1040"), UE_OK);

  int closed[2];
  CHECK(pipe(closed) == 0);
  child = fork_checked();
  if (child == 0) {
    char byte;
    CHECK(read(closed[0], &byte, 1) == 1);
    CHECK_INT(send_to(client, "1042"), UE_OK);
    _exit(0);
  }
  ue_client_close(client);
  CHECK(write(closed[1], "x", 1) == 1);
  wait_for(child);
  ue_free(client);
  CHECK_INT(requests("1042"), 1);
}

static void *send_1050(void *client) {
  CHECK_INT(send_to((ue_client *)client, "1050"), UE_OK);
  return NULL;
}

static void a_fork_in_the_midst_of_another_threads_call_disturbs_neither(void) {
  for (int ends_early = 0; ends_early < 2; ends_early++) {
    order("{\"fault\": \"delay\", \"ms\": 400, \"client_user_id\": \"1050\", \"times\": 1}");
    ue_client *client = sandbox_client();
    pthread_t thread;
    CHECK_INT(pthread_create(&thread, NULL, send_1050, client), 0);
    await_requests("1050", ends_early + 1);
    pid_t child = fork_checked();
    if (child == 0) {
      if (!ends_early) CHECK_INT(send_to(client, "1051"), UE_OK);
      ue_free(client); /* does not wait for calls of the parent */
      _exit(0);
    }
    CHECK_INT(send_to(client, "1052"), UE_OK);
    wait_for(child);
    CHECK_INT(pthread_join(thread, NULL), 0);
    ue_free(client);
  }
  CHECK_INT(requests("1050"), 2);
  CHECK_INT(requests("1051"), 1);
  CHECK_INT(requests("1052"), 2);
  CHECK(connection_of("1050", 0) != connection_of("1051", 0));
  CHECK(connection_of("1052", 0) != connection_of("1051", 0));
}

enum { BATCH = 40 };

/* Sends a batch to two users in turns. */
static void send_batch(ue_client *client, const char *one, const char *other) {
  ue_message messages[BATCH];
  for (int i = 0; i < BATCH; i++) messages[i] = message_to(i % 2 ? other : one);
  CHECK_INT(ue_send_conversations(client, messages, BATCH, NULL, NULL), UE_OK);
}

static void *send_batch_1053(void *client) {
  send_batch((ue_client *)client, "1053", "1054");
  return NULL;
}

static void a_fork_in_the_midst_of_a_batch_disturbs_neither(void) {
  order("{\"fault\": \"delay\", \"ms\": 300, \"client_user_id\": \"1053\", \"times\": 1}");
  ue_client *client = sandbox_client();
  pthread_t thread;
  CHECK_INT(pthread_create(&thread, NULL, send_batch_1053, client), 0);
  await_requests("1053", 1);
  pid_t child = fork_checked();
  if (child == 0) {
    send_batch(client, "1055", "1056");
    ue_free(client);
    _exit(0);
  }
  wait_for(child);
  CHECK_INT(pthread_join(thread, NULL), 0);
  ue_free(client);
  CHECK_INT(requests("1053") + requests("1054"), BATCH);
  CHECK_INT(requests("1055") + requests("1056"), BATCH);
}

static int stop;

static void *send_all_the_time(void *client) {
  while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) CHECK_INT(send_to((ue_client *)client, "1060"), UE_OK);
  return NULL;
}

/* At any moment, threads that the child does not have may hold locks. */
static void no_child_of_a_busy_process_hangs_on_a_lock(void) {
  ue_client *client = sandbox_client();
  pthread_t threads[4];
  for (int i = 0; i < 4; i++) CHECK_INT(pthread_create(&threads[i], NULL, send_all_the_time, client), 0);
  for (int i = 0; i < 100; i++) {
    pid_t child = fork_checked();
    if (child == 0) {
      CHECK_INT(send_to(client, "1061"), UE_OK);
      ue_free(client);
      _exit(0);
    }
    wait_for(child);
  }
  __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
  for (int i = 0; i < 4; i++) CHECK_INT(pthread_join(threads[i], NULL), 0);
  ue_free(client);
  CHECK_INT(requests("1061"), 100);
}

static void the_child_has_no_descriptor_of_the_parents_client(void) {
  int before = descriptors();
  ue_client *client = sandbox_client();
  ue_message messages[20];
  for (int i = 0; i < 20; i++) messages[i] = message_to(i % 2 ? "1070" : "1071");
  CHECK_INT(ue_send_conversations(client, messages, 20, NULL, NULL), UE_OK);
  CHECK(descriptors() > before);
  pid_t child = fork_checked();
  if (child == 0) {
    CHECK_INT(descriptors(), before);
    CHECK_INT(send_to(client, "1072"), UE_OK);
    ue_free(client);
    CHECK_INT(descriptors(), before);
    _exit(0);
  }
  wait_for(child);
  CHECK_INT(send_to(client, "1070"), UE_OK);
  ue_free(client);
  CHECK_INT(descriptors(), before);
}

/* Each generation sends, and is the parent of the next. */
static void generation(ue_client *client, int left, int most) {
  CHECK(descriptors() <= most);
  CHECK_INT(send_to(client, "1073"), UE_OK);
  if (left > 0) {
    pid_t child = fork_checked();
    if (child == 0) {
      generation(client, left - 1, most);
      _exit(0);
    }
    wait_for(child);
  }
}

static void descriptors_do_not_add_up_over_generations(void) {
  int before = descriptors();
  ue_client *client = sandbox_client();
  generation(client, 30, before + 8);
  ue_free(client);
  CHECK_INT(requests("1073"), 31);
}

enum { KEY = 64 };

/* The key, masked, so that the process's memory does not contain it unless the library has a copy. */
static unsigned char masked_key[KEY];

static void unmask(char *key) {
  for (int i = 0; i < KEY; i++) key[i] = (char)(masked_key[i] ^ 0xa5);
}

/* The number of copies of the key in the writable memory of this process. */
static int copies_of_the_key(void) {
  int copies = 0;
  char line[512];
  FILE *maps = fopen("/proc/self/maps", "r");
  CHECK(maps != NULL);
  while (fgets(line, sizeof line, maps) != NULL) {
    unsigned long from, to;
    if (sscanf(line, "%lx-%lx rw", &from, &to) != 2 || strstr(line, " rw") == NULL || strstr(line, "[v") != NULL)
      continue;
    for (const volatile unsigned char *at = (const unsigned char *)from; at + KEY <= (const unsigned char *)to; at++) {
      int i = 0;
      while (i < KEY && (at[i] ^ 0xa5) == masked_key[i]) i++;
      copies += i == KEY;
    }
  }
  fclose(maps);
  return copies;
}

static ue_client *client_with_the_key(void) {
  char key[KEY + 1];
  for (int i = 0; i < KEY; i++) masked_key[i] = (unsigned char)(('!' + (i * 37 + 11) % 90) ^ 0xa5);
  unmask(key);
  key[KEY] = '\0';
  ue_options options = sandbox_options();
  ue_client *client = ue_client_new(key, &options, NULL);
  CHECK(client != NULL);
  for (volatile char *at = key; at < key + KEY; at++) *at = 0;
  return client;
}

static void after_ue_free_no_copy_of_the_key_is_left_in_the_child(void) {
  if (is_checked()) return; /* a checker keeps copies of the memory */
  ue_client *client = client_with_the_key();
  CHECK_INT(copies_of_the_key(), 1);
  CHECK_INT(send_to(client, "1074"), UE_UNAUTHORIZED);
  CHECK_INT(copies_of_the_key(), 1); /* none in the buffers of an idle connection */
  for (int uses = 0; uses < 2; uses++) {
    pid_t child = fork_checked();
    if (child == 0) {
      CHECK_INT(copies_of_the_key(), 1);
      if (uses) CHECK_INT(send_to(client, "1074"), UE_UNAUTHORIZED);
      ue_free(client);
      CHECK_INT(copies_of_the_key(), 0);
      _exit(0);
    }
    wait_for(child);
  }
  ue_free(client);
  CHECK_INT(copies_of_the_key(), 0);
}

static void *hang_on_1091(void *client) {
  (void)send_to((ue_client *)client, "1091");
  return NULL;
}

static void a_fork_in_the_midst_of_a_call_leaves_no_copy_of_the_key_either(void) {
  if (is_checked()) return; /* a checker keeps copies of the memory */
  ue_client *client = client_with_the_key();
  CHECK_INT(send_to(client, "1074"), UE_UNAUTHORIZED);
  order("{\"fault\": \"hang\", \"client_user_id\": \"1091\"}");
  pthread_t thread;
  CHECK_INT(pthread_create(&thread, NULL, hang_on_1091, client), 0);
  await_requests("1091", 1);
  /* The service has the request a moment before the thread has wiped it. */
  int copies = 1;
  for (int tries = 0; copies > 0 && tries < 100; tries++) {
    pid_t child = fork_checked();
    if (child == 0) {
      ue_free(client);
      _exit(copies_of_the_key());
    }
    int status = 0;
    while (waitpid(child, &status, 0) < 0) CHECK(errno == EINTR);
    CHECK(WIFEXITED(status));
    copies = WEXITSTATUS(status);
  }
  CHECK_INT(copies, 0);
  ue_client_close(client);
  CHECK_INT(pthread_join(thread, NULL), 0);
  ue_free(client);
  CHECK_INT(copies_of_the_key(), 0);
}

/* Checks that a child of now has no copy of the key once it has freed the client, and the queue if there is one. */
static void check_wiped_in_a_child(ue_client *client, ue_queue *queue) {
  pid_t child = fork_checked();
  if (child == 0) {
    ue_free(client);
    ue_queue_free(queue);
    CHECK_INT(copies_of_the_key(), 0);
    _exit(0);
  }
  wait_for(child);
}

static void *hang_in_a_batch(void *client) {
  ue_message messages[2] = {message_to("1092"), message_to("1093")};
  CHECK_INT(ue_send_conversations((ue_client *)client, messages, 2, NULL, NULL), UE_CLOSED);
  return NULL;
}

static void a_fork_in_the_midst_of_a_batch_leaves_no_copy_of_the_key(void) {
  if (is_checked()) return; /* a checker keeps copies of the memory */
  ue_client *client = client_with_the_key();
  order("{\"fault\": \"hang\", \"client_user_id\": \"1092\"}");
  order("{\"fault\": \"hang\", \"client_user_id\": \"1093\"}");
  pthread_t thread;
  CHECK_INT(pthread_create(&thread, NULL, hang_in_a_batch, client), 0);
  await_requests("1092", 1);
  await_requests("1093", 1);
  long long give_up = now_ms() + 20000;
  while (copies_of_the_key() > 1) CHECK(now_ms() < give_up); /* each fiber wipes its request */
  check_wiped_in_a_child(client, NULL);
  ue_client_close(client);
  CHECK_INT(pthread_join(thread, NULL), 0);
  ue_free(client);
  CHECK_INT(copies_of_the_key(), 0);
}

static void after_both_are_freed_a_queue_leaves_no_copy_of_the_key(void) {
  if (is_checked()) return; /* a checker keeps copies of the memory */
  ue_client *client = client_with_the_key();
  ue_queue *queue = queue_with(client, NULL);
  CHECK_INT(push_to(queue, "1094", NULL), UE_OK);
  check_next(queue, NULL, UE_UNAUTHORIZED, UE_NOT_DELIVERED);
  CHECK_INT(copies_of_the_key(), 1);
  check_wiped_in_a_child(client, queue);
  ue_free(client);
  ue_queue_free(queue);
  CHECK_INT(copies_of_the_key(), 0);
}

/* Forks in the fork_at-th callback. */
static int callbacks, fork_at;
static pid_t forked;
static bool decided; /* whether the fork was in the line that reports the delivery */

static void fork_in_time(void) {
  if (++callbacks == fork_at) forked = fork_checked();
}

static void fork_in_the_log(void *unused, int32_t level, const char *text) {
  (void)unused, (void)text;
  if (callbacks + 1 == fork_at) decided = level == 3;
  fork_in_time();
}

static int32_t fork_in_interrupt(void *unused) {
  (void)unused;
  fork_in_time();
  return 0;
}

/* Forks, and cancels the call in the child. */
static int32_t fork_and_cancel_the_child(void *unused) {
  (void)unused;
  fork_in_time();
  return forked == 0;
}

static int32_t fork_in_on_result(void *unused, size_t index, const ue_result *result) {
  (void)unused, (void)index, (void)result;
  fork_in_time();
  return UE_BATCH_CONTINUE;
}

/* Checks the outcome of a call in the parent, and in the child that returned from one of its callbacks. */
static void check_both(ue_client *client, ue_status status, ue_result *result, const char *client_user_id) {
  if (forked == 0) {
    /* In the last log line the outcome is decided, so the child knows it too. */
    CHECK_INT(status, decided ? UE_OK : UE_CANCELLED);
    CHECK_INT(ue_result_delivery(result), decided ? UE_DELIVERED : UE_DELIVERY_UNKNOWN);
    ue_result_free(result);
    CHECK_INT(send_to(client, "1075"), UE_OK);
    ue_free(client);
    _exit(0);
  }
  CHECK_INT(status, UE_OK);
  ue_result_free(result);
  if (forked > 0) wait_for(forked);
  CHECK_INT(requests(client_user_id), 1);
}

static void a_child_that_returns_from_a_log_callback_leaves_the_call_to_its_parent(void) {
  for (int tls = 0; tls < 2; tls++) {
    forked = 1;
    for (fork_at = 1; forked > 0; fork_at++) {
      char id[32];
      snprintf(id, sizeof id, "107%d%02d", 6 + tls, fork_at);
      callbacks = 0, forked = -1;
      ue_options options = sandbox_options();
      if (tls) options.base_url = the_sandbox.tls_base_url, options.ca_file = the_sandbox.ca_file;
      options.log = fork_in_the_log;
      options.log_level = 5;
      ue_client *client = client_with(&options);
      ue_message message = message_to(id);
      ue_result *result = NULL;
      ue_status status = ue_send_conversation(client, &message, &result);
      check_both(client, status, result, id);
      ue_free(client);
    }
    CHECK(fork_at > 5);
  }
}

static void a_child_that_returns_from_the_interrupt_callback_leaves_the_call_to_its_parent(void) {
  order("{\"fault\": \"delay\", \"ms\": 500, \"client_user_id\": \"1078\", \"times\": 1}");
  callbacks = 0, fork_at = 2, forked = -1, decided = false;
  ue_options options = sandbox_options();
  options.interrupt = fork_in_interrupt;
  ue_client *client = client_with(&options);
  ue_message message = message_to("1078");
  ue_result *result = NULL;
  ue_status status = ue_send_conversation(client, &message, &result);
  check_both(client, status, result, "1078");
  CHECK(forked > 0);
  ue_free(client);
}

/* Ends the child, in which the call was cancelled before its last attempt; in the parent it went on and was delivered. */
static void check_left_to_the_parent(ue_status status, ue_result *result) {
  CHECK(forked >= 0);
  if (forked == 0) {
    CHECK_INT(status, UE_CANCELLED);
    CHECK_INT(ue_result_delivery(result), UE_DELIVERY_UNKNOWN);
    _exit(0);
  }
  CHECK_INT(status, UE_OK);
  ue_result_free(result);
  wait_for(forked);
}

/* The line reports a 429 or a 425: not delivered. The parent tries again. */
static void a_child_that_returns_between_two_attempts_does_not_know_what_becomes_of_the_next(void) {
  for (fork_at = 1; fork_at <= 2; fork_at++) {
    const char *id = fork_at == 1 ? "1084" : "1085";
    char fault[160];
    snprintf(
        fault, sizeof fault,
        "{\"fault\": \"status\", \"status\": %s, \"headers\": {\"Retry-After\": \"0\"}, \"client_user_id\": \"%s\", \"times\": 1}",
        fork_at == 1 ? "429" : "425", id);
    order(fault);
    int place = fork_at;
    callbacks = 0, fork_at = 1, forked = -1;
    ue_options options = sandbox_options();
    options.log = fork_in_the_log;
    options.log_level = 2;
    ue_client *client = client_with(&options);
    ue_message message = message_to(id);
    ue_result *result = NULL;
    ue_status status = ue_send_conversation(client, &message, &result);
    check_left_to_the_parent(status, result);
    ue_free(client);
    CHECK_INT(requests(id), 2);
    fork_at = place;
  }
}

static void a_child_that_cancels_a_call_of_its_parents_does_not_know_what_becomes_of_it(void) {
  static const char *const ids[] = {"1086", "1087", "1088"};
  for (int place = 0; place < 3; place++) {
    /* Between two attempts; in the pause after a 429; while waiting for a turn. */
    if (place < 2) {
      char fault[160];
      snprintf(
          fault, sizeof fault,
          "{\"fault\": \"status\", \"status\": %s, \"headers\": {\"Retry-After\": \"1\"}, \"client_user_id\": \"%s\", \"times\": 1}",
          place == 0 ? "425" : "429", ids[place]);
      order(fault);
    }
    ue_options options = sandbox_options();
    options.interrupt = fork_and_cancel_the_child;
    if (place == 2) options.max_per_second = 1;
    ue_client *client = client_with(&options);
    callbacks = 0, fork_at = 0, forked = -1;
    if (place == 2) CHECK_INT(send_to(client, "1089"), UE_OK);
    callbacks = 0, fork_at = 2;
    ue_message message = message_to(ids[place]);
    ue_result *result = NULL;
    ue_status status = ue_send_conversation(client, &message, &result);
    check_left_to_the_parent(status, result);
    ue_free(client);
  }
}

static void a_child_that_cancels_a_batch_of_its_parents_leaves_it_at_once(void) {
  order("{\"fault\": \"delay\", \"ms\": 600, \"client_user_id\": \"1090\", \"times\": 1}");
  callbacks = 0, fork_at = 2, forked = -1;
  ue_options options = sandbox_options();
  options.interrupt = fork_and_cancel_the_child;
  ue_client *client = client_with(&options);
  ue_message messages[4];
  for (int i = 0; i < 4; i++) messages[i] = message_to("1090");
  long long started = now_ms();
  ue_status status = ue_send_conversations(client, messages, 4, NULL, NULL);
  CHECK(forked >= 0);
  CHECK(in_time(now_ms() - started, 3000));
  if (forked == 0) {
    CHECK_INT(status, UE_CANCELLED);
    _exit(0);
  }
  CHECK_INT(status, UE_OK);
  wait_for(forked);
  ue_free(client);
  CHECK_INT(requests("1090"), 4);
}

static void a_child_that_returns_from_a_callback_of_a_batch_leaves_it_to_its_parent(void) {
  for (int in_log = 0; in_log < 2; in_log++) {
    const char *one = in_log ? "1079" : "1080", *other = in_log ? "1081" : "1082";
    callbacks = 0, fork_at = 10, forked = -1;
    ue_options options = sandbox_options();
    if (in_log) options.log = fork_in_the_log, options.log_level = 4;
    ue_client *client = client_with(&options);
    ue_message messages[BATCH];
    ue_result *results[BATCH];
    for (int i = 0; i < BATCH; i++) messages[i] = message_to(i % 2 ? other : one);
    ue_batch_options batch = UE_BATCH_OPTIONS_INIT;
    if (!in_log) batch.on_result = fork_in_on_result;
    long long started = now_ms();
    ue_status status = ue_send_conversations(client, messages, BATCH, &batch, results);
    CHECK(in_time(now_ms() - started, 3000));
    CHECK(forked >= 0);
    for (int i = 0; i < BATCH; i++) CHECK(results[i] != NULL);
    if (forked == 0) {
      CHECK_INT(status, UE_CANCELLED);
      for (int i = 0; i < BATCH; i++) {
        bool done = ue_result_status(results[i]) == UE_OK;
        if (!done) CHECK_INT(ue_result_status(results[i]), UE_CANCELLED);
        CHECK_INT(ue_result_delivery(results[i]), done ? UE_DELIVERED : UE_DELIVERY_UNKNOWN);
        ue_result_free(results[i]);
      }
      CHECK_INT(send_to(client, "1083"), UE_OK);
      ue_free(client);
      _exit(0);
    }
    CHECK_INT(status, UE_OK);
    for (int i = 0; i < BATCH; i++) ue_result_free(results[i]);
    wait_for(forked);
    ue_free(client);
    CHECK_INT(requests(one) + requests(other), BATCH);
  }
}

static const test tests[] = {
    TEST(the_child_has_no_descriptor_of_the_parents_client),
    TEST(descriptors_do_not_add_up_over_generations),
    TEST(after_ue_free_no_copy_of_the_key_is_left_in_the_child),
    TEST(a_fork_in_the_midst_of_a_call_leaves_no_copy_of_the_key_either),
    TEST(a_fork_in_the_midst_of_a_batch_leaves_no_copy_of_the_key),
    TEST(after_both_are_freed_a_queue_leaves_no_copy_of_the_key),
    TEST(a_child_that_returns_from_a_log_callback_leaves_the_call_to_its_parent),
    TEST(a_child_that_returns_from_the_interrupt_callback_leaves_the_call_to_its_parent),
    TEST(a_child_that_returns_between_two_attempts_does_not_know_what_becomes_of_the_next),
    TEST(a_child_that_cancels_a_call_of_its_parents_does_not_know_what_becomes_of_it),
    TEST(a_child_that_cancels_a_batch_of_its_parents_leaves_it_at_once),
    TEST(a_child_that_returns_from_a_callback_of_a_batch_leaves_it_to_its_parent),
    TEST(the_child_has_connections_of_its_own),
    TEST(over_tls_too_the_child_has_connections_of_its_own),
    TEST(children_of_children_have_them_too),
    TEST(a_child_that_never_uses_the_client_may_free_or_leave_it),
    TEST(closing_in_the_child_leaves_the_parent_open_and_the_other_way_round),
    TEST(a_fork_in_the_midst_of_another_threads_call_disturbs_neither),
    TEST(a_fork_in_the_midst_of_a_batch_disturbs_neither),
    TEST(no_child_of_a_busy_process_hangs_on_a_lock),
};

MAIN(tests)
