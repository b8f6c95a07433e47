/* fork(): parent and child go on with the same client, each on connections of its own. */

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

/* The number of the connection over which a request came. */
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
      ue_free(client); /* waits for no call of the parent's */
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
  CHECK_INT(ue_send_conversations(client, messages, BATCH, NULL, NULL, NULL), UE_OK);
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

/* Locks are held at any moment by threads that the child does not have. */
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

static const test tests[] = {
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
