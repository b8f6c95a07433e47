/* The host may close descriptors that it did not open, or run with the standard ones closed. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "given.h"

enum { MOST = 256 };

static int is_open(int fd) { return fcntl(fd, F_GETFD) >= 0; }

/* Once 0, 1 and 2 are closed, the checks cannot print; but a failed one still ends the process. */
static void close_the_standard_ones(void) {
  for (int fd = 0; fd <= 2; fd++) (void)close(fd);
}

static void with_the_standard_descriptors_closed_none_of_them_becomes_the_librarys(void) {
  close_the_standard_ones();
  ue_client *client = sandbox_client();
  CHECK_INT(send_to(client, "1200"), UE_OK);
  for (int fd = 0; fd <= 2; fd++) CHECK(!is_open(fd));
  ue_message messages[4];
  for (int i = 0; i < 4; i++) messages[i] = message_to(i % 2 ? "1200" : "1201");
  CHECK_INT(ue_send_conversations(client, messages, 4, NULL, NULL), UE_OK);
  for (int fd = 0; fd <= 2; fd++) CHECK(!is_open(fd));
  ue_free(client);
}

static void what_the_host_prints_without_a_standard_error_disturbs_nothing(void) {
  close_the_standard_ones();
  ue_client *client = sandbox_client();
  for (int i = 0; i < 3; i++) {
    for (int fd = 0; fd <= 2; fd++) CHECK(write(fd, "a word of the host", 18) < 0 && errno == EBADF);
    CHECK_INT(send_to(client, "1202"), UE_OK);
  }
  ue_free(client);
  CHECK_INT(requests("1202"), 3);
}

/* The same as closefrom(3), which some systems do not have. */
static void close_from(int first) {
  for (int fd = first; fd < MOST; fd++) (void)close(fd);
}

static long long cpu_ms(void) {
  struct rusage usage;
  CHECK(getrusage(RUSAGE_SELF, &usage) == 0);
  return (long long)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000 +
         (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1000;
}

/* This also closes the client's own descriptors, on which calls wait for its close. Connections may reuse the numbers. */
static void after_a_host_has_closed_all_descriptors_no_call_spins_or_hangs(void) {
  for (int hangs = 0; hangs < 2; hangs++) {
    const char *id = hangs ? "1206" : "1203";
    ue_options options = sandbox_options();
    options.timeout_ms = 600;
    ue_client *client = client_with(&options);
    CHECK_INT(send_to(client, id), UE_OK);
    if (hangs) order("{\"fault\": \"hang\", \"client_user_id\": \"1206\"}");
    close_from(3);
    ue_message message = message_to(id);
    ue_result *result = NULL;
    long long started = now_ms(), before = cpu_ms();
    ue_status status = ue_send_conversation(client, &message, &result);
    CHECK(in_time(now_ms() - started, 1100));
    CHECK(in_time(cpu_ms() - before, 200));
    if (status == UE_INTERNAL) {
      CHECK_INT(ue_result_delivery(result), UE_NOT_DELIVERED);
      CHECK_PART(ue_result_message(result), "closed descriptors that it did not open");
    } else {
      CHECK_INT(status, hangs ? UE_TIMEOUT : UE_OK);
    }
    ue_result_free(result);

    ue_message messages[8];
    ue_result *results[8];
    for (int i = 0; i < 8; i++) messages[i] = message_to(id);
    started = now_ms(), before = cpu_ms();
    status = ue_send_conversations(client, messages, hangs ? 2 : 8, NULL, results);
    CHECK(in_time(now_ms() - started, 2500));
    CHECK(in_time(cpu_ms() - before, 300));
    for (int i = 0; i < (hangs ? 2 : 8); i++) {
      if (status == UE_OK) CHECK_INT(ue_result_delivery(results[i]), UE_DELIVERED);
      ue_result_free(results[i]);
    }
    ue_free(client);
  }
}

static void a_file_that_the_host_opened_under_a_closed_descriptor_is_the_hosts(void) {
  int was_open[MOST], own[MOST], count = 0;
  for (int fd = 0; fd < MOST; fd++) was_open[fd] = is_open(fd);
  ue_client *client = sandbox_client();
  CHECK_INT(send_to(client, "1207"), UE_OK);
  for (int fd = 3; fd < MOST; fd++) {
    if (!was_open[fd] && is_open(fd)) own[count++] = fd;
  }
  CHECK(count >= 3);
  int ends[2];
  for (int i = 0; i < count; i++) CHECK(close(own[i]) == 0);
  CHECK(pipe(ends) == 0); /* takes the first two of them */
  CHECK(ends[0] == own[0] && ends[1] == own[1]);
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    CHECK(is_open(ends[0]) && is_open(ends[1]));
    ue_free(client);
    CHECK(is_open(ends[0]) && is_open(ends[1]));
    _exit(0);
  }
  int status = 0;
  CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status));
  CHECK_INT(WEXITSTATUS(status), 0);
  ue_free(client);
  CHECK(is_open(ends[0]) && is_open(ends[1]));
  CHECK(fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0);
  char byte;
  CHECK(read(ends[0], &byte, 1) < 0 && errno == EAGAIN); /* nothing was written into it */
}

/* Closes every descriptor that is not in `was_open`, and opens pairs of sockets under their numbers. Returns how many
 * pairs. */
static int replace_by_sockets(const int *was_open, int (*pairs)[2]) {
  int own[MOST], count = 0, made = 0;
  for (int fd = 3; fd < MOST; fd++) {
    if (!was_open[fd] && is_open(fd)) own[count++] = fd;
  }
  CHECK(count >= 2);
  for (int i = 0; i < count; i++) CHECK(close(own[i]) == 0);
  for (; made < (count + 1) / 2; made++) {
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pairs[made]) == 0);
    for (int end = 0; end < 2; end++) CHECK(fcntl(pairs[made][end], F_SETFL, O_NONBLOCK) == 0);
  }
  return made;
}

static void check_empty(int (*pairs)[2], int count) {
  for (int i = 0; i < count; i++) {
    char byte;
    for (int end = 0; end < 2; end++) CHECK(read(pairs[i][end], &byte, 1) < 0 && errno == EAGAIN);
  }
}

static void a_trigger_writes_nothing_into_a_file_of_the_hosts_and_frees_none(void) {
  int was_open[MOST], pairs[MOST][2];
  ue_client *client = sandbox_client();
  for (int fd = 0; fd < MOST; fd++) was_open[fd] = is_open(fd);
  ue_cancel *cancel = ue_cancel_new(NULL);
  int count = replace_by_sockets(was_open, pairs);
  ue_cancel_trigger(cancel);
  ue_message message = message_to("1208");
  message.cancel = cancel;
  CHECK_INT(ue_send_conversation(client, &message, NULL), UE_CANCELLED);
  ue_cancel_free(cancel);
  check_empty(pairs, count);
  ue_free(client);
}

static void a_queue_writes_nothing_into_a_file_of_the_hosts_and_loses_no_result(void) {
  int was_open[MOST], pairs[MOST][2];
  ue_client *client = sandbox_client();
  CHECK_INT(send_to(client, "1209"), UE_OK);
  for (int fd = 0; fd < MOST; fd++) was_open[fd] = is_open(fd);
  ue_queue *queue = queue_with(client, NULL);
  int count = replace_by_sockets(was_open, pairs);
  for (int i = 0; i < 3; i++) CHECK_INT(push_to(queue, "1209", NULL), UE_OK);
  CHECK_INT(ue_queue_wait(queue, 60000), UE_OK);
  check_empty(pairs, count);
  for (int i = 0; i < count; i++) CHECK(write(pairs[i][1], "x", 1) == 1);
  CHECK_INT(ue_queue_take(queue, NULL, 5), 3);
  ue_queue_free(queue);
  for (int i = 0; i < count; i++) {
    char byte = 0;
    CHECK(read(pairs[i][0], &byte, 1) == 1 && byte == 'x');
  }
  check_empty(pairs, count);
  ue_free(client);
}

static volatile int asked;

static int32_t count_asked(void *unused) {
  (void)unused;
  asked++;
  return 0;
}

/* A file is always readable. So is, after a close, the descriptor on which a call waits for the close of its client. */
static void a_file_under_the_number_of_a_closed_descriptor_makes_no_call_spin_or_miss_its_deadline(void) {
  int was_open[MOST];
  for (int fd = 0; fd < MOST; fd++) was_open[fd] = is_open(fd);
  ue_options options = sandbox_options();
  options.timeout_ms = 600;
  options.interrupt = count_asked;
  ue_client *client = client_with(&options);
  int file = open("/dev/zero", O_RDWR), replaced = 0;
  CHECK(file >= 0);
  for (int fd = 3; fd < MOST; fd++) {
    if (!was_open[fd] && fd != file && is_open(fd)) {
      CHECK(dup2(file, fd) == fd);
      replaced++;
    }
  }
  CHECK(replaced > 0);
  order("{\"fault\": \"hang\", \"client_user_id\": \"1204\"}");
  long long started = now_ms(), before = cpu_ms();
  CHECK_INT(send_to(client, "1204"), UE_TIMEOUT);
  CHECK(in_time(now_ms() - started, 1100));
  CHECK(in_time(cpu_ms() - before, 200));
  CHECK(asked >= 3);
  CHECK_INT(send_to(client, "1205"), UE_OK);
  ue_free(client);
}

static const test tests[] = {
    TEST(with_the_standard_descriptors_closed_none_of_them_becomes_the_librarys),
    TEST(what_the_host_prints_without_a_standard_error_disturbs_nothing),
    TEST(after_a_host_has_closed_all_descriptors_no_call_spins_or_hangs),
    TEST(a_file_that_the_host_opened_under_a_closed_descriptor_is_the_hosts),
    TEST(a_trigger_writes_nothing_into_a_file_of_the_hosts_and_frees_none),
    TEST(a_queue_writes_nothing_into_a_file_of_the_hosts_and_loses_no_result),
    TEST(a_file_under_the_number_of_a_closed_descriptor_makes_no_call_spin_or_miss_its_deadline),
};

MAIN(tests)
