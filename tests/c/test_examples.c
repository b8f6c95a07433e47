/* The examples, as a reader runs them. */

#include <libgen.h>
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

static void the_event_loop_reports_every_line_in_order(void) {
  char self[2048] = "", command[4096], output[2048];
  use_the_sandbox();
  CHECK(readlink("/proc/self/exe", self, sizeof self - 1) > 0);
  order("{\"fault\": \"delay\", \"ms\": 50, \"client_user_id\": \"310\", \"times\": 1}");
  snprintf(command, sizeof command,
           "printf '310 Hi\\nmissing-311 Hi\\n312 Hi <b>you</b>\\n313\\n' | '%s/example_event_loop_c' 2>&1",
           dirname(self));
  FILE *pipe = popen(command, "r");
  CHECK(pipe != NULL);
  output[fread(output, 1, sizeof output - 1, pipe)] = '\0';
  CHECK_INT(pclose(pipe), 0);
  CHECK_PART(output, "310: delivered\nmissing-311: The service answered 404");
  CHECK_PART(output, "\n312: delivered\n313: content is empty");
  CHECK_INT(requests("310") + requests("312") + requests("313"), 2);
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

static const test tests[] = {
    TEST(send_c_delivers_and_says_so),
    TEST(send_cpp_delivers_and_says_so),
    TEST(the_event_loop_reports_every_line_in_order),
    TEST(send_c_says_what_failed),
    TEST(send_cpp_says_what_failed),
};

MAIN(tests)
