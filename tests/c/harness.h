/* A test runner, a sandbox process and its journal, in the little C that the tests need. */

#ifndef HARNESS_H
#define HARNESS_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A test runs in a process of its own: what fails or crashes there is counted, and ends nothing else. */
typedef struct test {
  const char *name;
  void (*run)(void);
} test;

#define TEST(function) {#function, function}

/* Runs the tests, or those that the command line names, and returns main's status. Ends with "N passed, N failed". */
int run_tests(const test *tests, size_t count, int argc, char **argv);

#define MAIN(tests) \
  int main(int argc, char **argv) { return run_tests((tests), sizeof(tests) / sizeof((tests)[0]), argc, argv); }

/* The checks end the process that they fail in. */
void check(int holds, const char *what, const char *file, int line);
void check_int(long long actual, long long expected, const char *what, const char *file, int line);
void check_text(const char *actual, const char *expected, const char *what, const char *file, int line);
void check_part(const char *actual, const char *part, const char *what, const char *file, int line);

#define CHECK(condition) check(!!(condition), #condition, __FILE__, __LINE__)
#define CHECK_INT(actual, expected) check_int((long long)(actual), (long long)(expected), #actual, __FILE__, __LINE__)
#define CHECK_TEXT(actual, expected) check_text((actual), (expected), #actual, __FILE__, __LINE__)
/* That the text has this part. */
#define CHECK_PART(actual, part) check_part((actual), (part), #actual, __FILE__, __LINE__)

/* The sandbox of this program, which starts before its first test. */
typedef struct sandbox {
  char base_url[256];
  char api_key[128];
  char tls_base_url[256];
  char ca_file[256];
  char control_url[256];
} sandbox;

extern sandbox the_sandbox;

/* What the journal has for a client_user_id, as JSON; to be freed. */
char *journal(const char *client_user_id);

/* How many requests the journal has for it. */
int requests(const char *client_user_id);

/* The number or text of a field of one entry of the journal (0 is the first) as it stands in the JSON, without a text's
 * quotes; to be freed. */
char *entry_field(const char *client_user_id, int entry, const char *field);

/* Orders a fault. */
void order(const char *fault);

/* Waits until the sandbox has taken so many whole requests for it: where a test needs a call to be under way. */
void await_requests(const char *client_user_id, int count);

/* A copy behind which no byte can be read. */
void *fenced(const void *from, size_t size);

/* Whether valgrind or a sanitizer runs this, whose own memory grows and which takes its time. */
int is_checked(void);

/* Whether so many milliseconds are few enough, where a checker gets ten times as many. */
int in_time(long long took_ms, long long most_ms);

/* Milliseconds of a clock that only goes forward. */
long long now_ms(void);

#ifdef __cplusplus
}
#endif

#endif
