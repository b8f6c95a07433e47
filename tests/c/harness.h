/* A test runner, and access to a sandbox process and its journal. */

#ifndef HARNESS_H
#define HARNESS_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Each test runs in its own process: a failure or crash is counted and does not end the other tests. */
typedef struct test {
  const char *name;
  void (*run)(void);
} test;

#define TEST(function) {#function, function}

/* Runs the tests, or those that the command line names, and returns main's status. Ends with "N passed, N failed". */
int run_tests(const test *tests, size_t count, int argc, char **argv);

#define MAIN(tests) \
  int main(int argc, char **argv) { return run_tests((tests), sizeof(tests) / sizeof((tests)[0]), argc, argv); }

/* A failed check ends its process. */
void check(int holds, const char *what, const char *file, int line);
void check_int(long long actual, long long expected, const char *what, const char *file, int line);
void check_text(const char *actual, const char *expected, const char *what, const char *file, int line);
void check_part(const char *actual, const char *part, const char *what, const char *file, int line);

#define CHECK(condition) check(!!(condition), #condition, __FILE__, __LINE__)
#define CHECK_INT(actual, expected) check_int((long long)(actual), (long long)(expected), #actual, __FILE__, __LINE__)
#define CHECK_TEXT(actual, expected) check_text((actual), (expected), #actual, __FILE__, __LINE__)
/* Checks that the text contains this part. */
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

/* The journal's entries for a client_user_id, as JSON. The caller frees it. */
char *journal(const char *client_user_id);

/* The number of requests for it in the journal. */
int requests(const char *client_user_id);

/* A field of one entry of the journal (0 is the first): the number or text as in the JSON, without quotes. The caller
 * frees it. */
char *entry_field(const char *client_user_id, int entry, const char *field);

/* Orders a fault. */
void order(const char *fault);

/* Waits until the sandbox has received this many complete requests for it. Tests use it to have a call in flight. */
void await_requests(const char *client_user_id, int count);

/* A copy at the end of a page: a read past it crashes. */
void *fenced(const void *from, size_t size);

/* Whether valgrind or a sanitizer runs this program. They use more memory and are slow. */
int is_checked(void);

/* Whether a time in milliseconds is within a limit. Under a checker the limit is ten times as high. */
int in_time(long long took_ms, long long most_ms);

/* Milliseconds of a monotonic clock. */
long long now_ms(void);

/* How many descriptors of this process are open, and three more: only differences mean something. */
int descriptors(void);

/* How many threads this process has, and two more: only differences mean something. */
int threads(void);

#ifdef __cplusplus
}
#endif

#endif
