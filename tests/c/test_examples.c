/* The examples, as a reader runs them. */

#include <libgen.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"

/* Runs an example from the directory of this program, and returns its exit status and output. */
static int run_example(const char *name, const char *argument, char *output, size_t size) {
  char self[2048] = "", command[4096];
  CHECK(readlink("/proc/self/exe", self, sizeof self - 1) > 0);
  snprintf(command, sizeof command, "'%s/%s' '%s' 2>&1", dirname(self), name, argument);
  FILE *pipe = popen(command, "r");
  CHECK(pipe != NULL);
  output[fread(output, 1, size - 1, pipe)] = '\0';
  int status = pclose(pipe);
  CHECK(WIFEXITED(status));
  return WEXITSTATUS(status);
}

static void use_the_sandbox(void) {
  setenv("UE_API_KEY", the_sandbox.api_key, 1);
  setenv("UE_BASE_URL", the_sandbox.base_url, 1);
}

static void check_example(const char *name, const char *client_user_id) {
  char output[1024];
  use_the_sandbox();
  int status = run_example(name, client_user_id, output, sizeof output);
  CHECK_PART(output, "elivered");
  CHECK_INT(status, 0);
  CHECK_INT(requests(client_user_id), 1);
  char *body = entry_field(client_user_id, 0, "body");
  CHECK_PART(body, "Hi <b>user</b>, enjoy our product!");
  CHECK_PART(body, "\\\"user\\\":926,\\\"source\\\":2,\\\"source_context\\\":{\\\"name\\\":");
  free(body);
}

static void send_c_delivers_and_says_so(void) { check_example("example_send_c", "300"); }

static void send_cpp_delivers_and_says_so(void) { check_example("example_send_cpp", "301"); }

/* An example that runs: it reads `input`, and `output` is what it prints. */
typedef struct running {
  pid_t process;
  FILE *output;
} running;

/* Starts an example with one or two arguments, or none: NULL. */
static running start_example(const char *name, const char *input, const char *first, const char *second) {
  char self[2048] = "", path[4096];
  int in[2], out[2];
  running made;
  CHECK(readlink("/proc/self/exe", self, sizeof self - 1) > 0);
  snprintf(path, sizeof path, "%s/%s", dirname(self), name);
  CHECK(pipe(in) == 0 && pipe(out) == 0);
  made.process = fork();
  CHECK(made.process >= 0);
  if (made.process == 0) {
    dup2(in[0], 0);
    dup2(out[1], 1);
    dup2(out[1], 2);
    close(in[0]), close(in[1]), close(out[0]), close(out[1]);
    execl(path, path, first, second, (char *)NULL);
    _exit(127);
  }
  close(in[0]), close(out[1]);
  CHECK(write(in[1], input, strlen(input)) == (ssize_t)strlen(input));
  close(in[1]);
  made.output = fdopen(out[0], "r");
  CHECK(made.output != NULL);
  return made;
}

/* Waits for its end. Returns its exit status, and adds the rest of what it prints to `output`. */
static int end_example(const running *of, char *output, size_t size) {
  int status = 0;
  size_t read = strlen(output);
  output[read + fread(output + read, 1, size - 1 - read, of->output)] = '\0';
  fclose(of->output);
  CHECK(waitpid(of->process, &status, 0) == of->process && WIFEXITED(status));
  return WEXITSTATUS(status);
}

/* Adds what it prints to `output`, until it has printed this. */
static void await_output(const running *of, const char *part, char *output, size_t size) {
  while (strstr(output, part) == NULL) {
    size_t length = strlen(output);
    CHECK(fgets(output + length, (int)(size - length), of->output) != NULL);
  }
}

static void the_event_loop_reports_every_line_and_each_user_gets_them_in_order(void) {
  char output[2048] = "";
  use_the_sandbox();
  order("{\"fault\": \"delay\", \"ms\": 50, \"client_user_id\": \"310\", \"times\": 1}");
  order("{\"fault\": \"status\", \"status\": 401, \"client_user_id\": \"314\"}");
  order("{\"fault\": \"close\", \"where\": \"before-status\", \"client_user_id\": \"315\"}");
  running loop = start_example("example_event_loop_c",
                               "310 Hi\nmissing-311 Hi\n312 Hi <b>you</b>\n313\n314 Hi\n315 Hi\n310 again", NULL, NULL);
  CHECK_INT(end_example(&loop, output, sizeof output), 0);
  CHECK_PART(output, "310: delivered\n");
  CHECK_PART(strstr(output, "310: delivered\n") + 1, "310: delivered\n");
  CHECK_PART(output, "missing-311: The service answered 404");
  CHECK_PART(output, "312: delivered\n");
  CHECK_PART(output, "313: content is empty");
  CHECK_PART(output, "314: The service answered 401");
  CHECK_PART(output, " (send it again later)\n");
  CHECK_PART(output, "315: ");
  CHECK_PART(output, " (look at the conversation first)\n");
  CHECK_INT(requests("312") + requests("313"), 1);
  char *first = entry_field("310", 0, "body"), *second = entry_field("310", 1, "body");
  CHECK_PART(first, "Hi");
  CHECK_PART(second, "again");
  free(first), free(second);
}

static void the_event_loop_reads_no_further_while_its_queue_is_full(void) {
  enum { LINES = 3000 };
  char *input = (char *)malloc(LINES * 8 + 1), *output = (char *)calloc(LINES, 32), *end = input;
  use_the_sandbox();
  for (int i = 0; i < LINES; i++) end += sprintf(end, "%d x\n", 320 + i % 3);
  running loop = start_example("example_event_loop_c", input, NULL, NULL);
  CHECK_INT(end_example(&loop, output, LINES * 32), 0);
  int delivered = 0;
  for (const char *at = output; (at = strstr(at, ": delivered\n")) != NULL; at++) delivered++;
  CHECK_INT(delivered, LINES);
  CHECK_INT(requests("320") + requests("321") + requests("322"), LINES);
  free(input), free(output);
}

static void the_libuv_loop_reports_every_user_and_ends(void) {
  char output[2048] = "";
  use_the_sandbox();
  running loop = start_example("example_libuv_loop_c", "", "325", "missing-326");
  CHECK_INT(end_example(&loop, output, sizeof output), 0);
  CHECK_PART(output, "325: delivered\n");
  CHECK_PART(output, "missing-326: The service answered 404");
  output[0] = '\0';
  loop = start_example("example_libuv_loop_c", "", NULL, NULL); /* nothing to do */
  CHECK_INT(end_example(&loop, output, sizeof output), 0);
  CHECK_TEXT(output, "");
}

static void an_interrupted_libuv_loop_finishes_what_is_in_flight(void) {
  char output[2048] = "";
  use_the_sandbox();
  order("{\"fault\": \"delay\", \"ms\": 500, \"client_user_id\": \"327\", \"times\": 1}");
  running loop = start_example("example_libuv_loop_c", "", "327", "327");
  await_requests("327", 1);
  CHECK(kill(loop.process, SIGINT) == 0);
  CHECK_INT(end_example(&loop, output, sizeof output), 0);
  CHECK_PART(output, "327: delivered\n");
  CHECK_PART(output, "327: to be sent again\n");
  CHECK_INT(requests("327"), 1);
}

static void the_batch_prints_each_outcome_and_counts_them(void) {
  char output[2048] = "";
  use_the_sandbox();
  running batch = start_example("example_send_many_c", "330 Hi\nmissing-331 Hi\n332\n333 Hi\n", NULL, NULL);
  CHECK_INT(end_example(&batch, output, sizeof output), 1);
  CHECK_PART(output, "1 330: delivered\n");
  CHECK_PART(output, "2 missing-331: The service answered 404");
  CHECK_PART(output, "3 332: content is empty");
  CHECK_PART(output, "4 333: delivered\n");
  CHECK_PART(output, "2 delivered, 0 to be sent again, 0 to be decided, 2 wrong\n");
}

static void ctrl_c_ends_a_batch_and_every_outcome_is_told(void) {
  char output[4096] = "";
  use_the_sandbox();
  order("{\"fault\": \"hang\", \"client_user_id\": \"335\"}");
  running batch = start_example("example_send_many_c", "335 hangs\n336 Hi\n335 waits\n335 waits\n", NULL, NULL);
  await_requests("335", 1);
  await_output(&batch, "2 336: delivered\n", output, sizeof output);
  CHECK(kill(batch.process, SIGINT) == 0);
  CHECK_INT(end_example(&batch, output, sizeof output), 1);
  CHECK_PART(output, "1 delivered, 2 to be sent again, 1 to be decided, 0 wrong\n");
  CHECK_INT(requests("335"), 1);
}

static void an_outage_makes_few_unknown_messages_in_the_batch(void) {
  enum { LINES = 60 };
  char input[LINES * 12] = "", output[LINES * 600] = "", fault[100], *end = input;
  use_the_sandbox();
  for (int i = 0; i < LINES; i++) {
    end += sprintf(end, "out-%02d Hi\n", i);
    snprintf(fault, sizeof fault, "{\"fault\": \"status\", \"status\": 500, \"client_user_id\": \"out-%02d\"}", i);
    order(fault);
  }
  running batch = start_example("example_send_many_c", input, NULL, NULL);
  CHECK_INT(end_example(&batch, output, sizeof output), 1);
  CHECK_PART(output, "0 delivered, 50 to be sent again, 10 to be decided, 0 wrong\n");
}

static void check_failure(const char *name) {
  char output[1024];
  use_the_sandbox();
  CHECK_INT(run_example(name, "missing-302", output, sizeof output), 1);
  CHECK_PART(output, "The service answered 404");
  unsetenv("UE_API_KEY");
  CHECK(run_example(name, "302", output, sizeof output) != 0);
  CHECK_PART(output, "api_key is NULL");
}

static void send_c_says_what_failed(void) { check_failure("example_send_c"); }

static void send_cpp_says_what_failed(void) { check_failure("example_send_cpp"); }

/* As of a file that was read whole. */
static void send_c_says_what_is_wrong_with_a_key_that_has_a_line_end(void) {
  char output[1024];
  use_the_sandbox();
  setenv("UE_API_KEY", "0123456789abcdef\n", 1);
  CHECK_INT(run_example("example_send_c", "303", output, sizeof output), 1);
  CHECK_PART(output, "api_key");
  CHECK_PART(output, "line");
  CHECK(strstr(output, "client is NULL") == NULL && strstr(output, "0123456789abcdef") == NULL);
}

static void send_c_exits_with_75_where_it_may_be_run_again(void) {
  char output[1024];
  use_the_sandbox();
  order("{\"fault\": \"status\", \"status\": 401, \"client_user_id\": \"304\", \"times\": 1}");
  CHECK_INT(run_example("example_send_c", "304", output, sizeof output), 75);
  CHECK_INT(run_example("example_send_c", "304", output, sizeof output), 0);
}

static const test tests[] = {
    TEST(send_c_delivers_and_says_so),
    TEST(send_cpp_delivers_and_says_so),
    TEST(the_event_loop_reports_every_line_and_each_user_gets_them_in_order),
    TEST(the_event_loop_reads_no_further_while_its_queue_is_full),
    TEST(the_libuv_loop_reports_every_user_and_ends),
    TEST(an_interrupted_libuv_loop_finishes_what_is_in_flight),
    TEST(the_batch_prints_each_outcome_and_counts_them),
    TEST(ctrl_c_ends_a_batch_and_every_outcome_is_told),
    TEST(an_outage_makes_few_unknown_messages_in_the_batch),
    TEST(send_c_says_what_is_wrong_with_a_key_that_has_a_line_end),
    TEST(send_c_exits_with_75_where_it_may_be_run_again),
    TEST(send_c_says_what_failed),
    TEST(send_cpp_says_what_failed),
};

MAIN(tests)
