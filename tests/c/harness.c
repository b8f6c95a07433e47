#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */

#include "harness.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

sandbox the_sandbox;

static void fail(const char *what, const char *file, int line) {
  fprintf(stderr, "%s:%d: %s\n", file, line, what);
  fflush(stderr);
  _exit(1);
}

void check(int holds, const char *what, const char *file, int line) {
  if (!holds) fail(what, file, line);
}

void check_int(long long actual, long long expected, const char *what, const char *file, int line) {
  char text[512];
  snprintf(text, sizeof text, "%s is %lld, not %lld", what, actual, expected);
  check(actual == expected, text, file, line);
}

void check_text(const char *actual, const char *expected, const char *what, const char *file, int line) {
  char text[4096];
  snprintf(text, sizeof text, "%s is\n  \"%s\", not\n  \"%s\"", what, actual, expected);
  check(actual != NULL && strcmp(actual, expected) == 0, text, file, line);
}

void check_part(const char *actual, const char *part, const char *what, const char *file, int line) {
  char text[4096];
  snprintf(text, sizeof text, "%s is\n  \"%s\", without\n  \"%s\"", what, actual, part);
  check(actual != NULL && strstr(actual, part) != NULL, text, file, line);
}

long long now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int is_checked(void) { return getenv("UE_TESTS_CHECKED") != NULL; }

int in_time(long long took_ms, long long most_ms) { return took_ms < (is_checked() ? 10 * most_ms : most_ms); }

void *fenced(const void *from, size_t size) {
  size_t page = (size_t)sysconf(_SC_PAGESIZE), room = (size + page - 1) / page * page;
  char *pages = (char *)mmap(NULL, room + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(pages != MAP_FAILED && mprotect(pages + room, page, PROT_NONE) == 0);
  return memcpy(pages + room - size, from, size);
}

/* Finds the value of a field in JSON text. No string in it may contain a quote that is followed by a colon. */
static const char *find_field(const char *json, const char *field) {
  char quoted[80];
  snprintf(quoted, sizeof quoted, "\"%s\":", field);
  const char *at = strstr(json, quoted);
  return at == NULL ? NULL : at + strlen(quoted);
}

/* Copies the value that begins there, without the quotes of a text. */
static size_t value_length(const char **value) {
  const char *end = *value;
  if (*end != '"') return strcspn(end, ",}]");
  *value = ++end;
  while (*end != '\0' && *end != '"') end += *end == '\\' && end[1] != '\0' ? 2 : 1;
  return (size_t)(end - *value);
}

static void copy_field(const char *json, const char *field, char *to, size_t size) {
  const char *value = find_field(json, field);
  size_t length = value == NULL ? 0 : value_length(&value);
  snprintf(to, size, "%.*s", (int)length, value == NULL ? "" : value);
}

/* Starts the sandbox. It reads a pipe, and ends when this process and its forks have closed their end. */
static void start_sandbox(void) {
  const char *program = getenv("UE_SANDBOX");
  CHECK(program != NULL && "set UE_SANDBOX to the program ue-sandbox, or start tests/c/run-tests");
  int in[2], out[2];
  CHECK(pipe(in) == 0 && pipe(out) == 0);
  CHECK(fcntl(in[1], F_SETFD, FD_CLOEXEC) == 0);
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    dup2(in[0], 0);
    dup2(out[1], 1);
    close(in[0]), close(out[0]), close(out[1]);
    execl(program, program, "--port", "0", "--json", "--until-stdin-closes", "--tls", "--keep", "1000000",
          (char *)NULL);
    perror(program);
    _exit(127);
  }
  close(in[0]), close(out[1]);
  FILE *output = fdopen(out[0], "r");
  char line[2048] = "";
  CHECK(output != NULL && fgets(line, sizeof line, output) != NULL);
  fclose(output);
  copy_field(line, "base_url", the_sandbox.base_url, sizeof the_sandbox.base_url);
  copy_field(line, "api_key", the_sandbox.api_key, sizeof the_sandbox.api_key);
  copy_field(line, "tls_base_url", the_sandbox.tls_base_url, sizeof the_sandbox.tls_base_url);
  copy_field(line, "ca_file", the_sandbox.ca_file, sizeof the_sandbox.ca_file);
  copy_field(line, "control_url", the_sandbox.control_url, sizeof the_sandbox.control_url);
  CHECK(the_sandbox.base_url[0] != '\0' && the_sandbox.control_url[0] != '\0');
}

/* Sends one request to the sandbox's own REST and returns the body of the answer. The caller frees it. */
static char *ask_sandbox(const char *method, const char *path, const char *body) {
  struct sockaddr_in address = {0};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const char *port = strrchr(the_sandbox.control_url, ':');
  address.sin_port = htons((unsigned short)atoi(port + 1));
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  CHECK(fd >= 0);
  int connected;
  do connected = connect(fd, (const struct sockaddr *)&address, sizeof address);
  while (connected != 0 && errno == EINTR);
  CHECK(connected == 0 || errno == EISCONN);

  char request[4096];
  int length = snprintf(request, sizeof request,
                        "%s /_sandbox/%s HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
                        "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
                        method, path, strlen(body), body);
  CHECK(length > 0 && (size_t)length < sizeof request);
  CHECK(send(fd, request, (size_t)length, MSG_NOSIGNAL) == length);

  size_t size = 65536, filled = 0;
  char *answer = (char *)malloc(size);
  for (;;) {
    CHECK(answer != NULL);
    ssize_t got = read(fd, answer + filled, size - filled - 1);
    if (got < 0 && errno == EINTR) continue;
    CHECK(got >= 0);
    if (got == 0) break;
    filled += (size_t)got;
    if (size - filled < 4096) answer = (char *)realloc(answer, size *= 2);
  }
  close(fd);
  answer[filled] = '\0';
  char *start = strstr(answer, "\r\n\r\n");
  CHECK(strncmp(answer, "HTTP/1.1 20", 11) == 0 && start != NULL);
  memmove(answer, start + 4, strlen(start + 4) + 1);
  return answer;
}

char *journal(const char *client_user_id) {
  char path[512];
  snprintf(path, sizeof path, "requests?client_user_id=%s", client_user_id);
  return ask_sandbox("GET", path, "");
}

/* Every entry begins with its id. */
static const char *next_entry(const char *json) { return strstr(json, "{\"id\":"); }

int requests(const char *client_user_id) {
  char *entries = journal(client_user_id);
  int count = 0;
  for (const char *at = next_entry(entries); at != NULL; at = next_entry(at + 1)) count++;
  free(entries);
  return count;
}

char *entry_field(const char *client_user_id, int entry, const char *field) {
  char *entries = journal(client_user_id);
  const char *at = next_entry(entries);
  for (; at != NULL && entry > 0; entry--) at = next_entry(at + 1);
  CHECK(at != NULL);
  const char *value = find_field(at, field);
  CHECK(value != NULL);
  size_t length = value_length(&value);
  memmove(entries, value, length);
  entries[length] = '\0';
  return entries;
}

void order(const char *fault) { free(ask_sandbox("POST", "faults", fault)); }

void await_requests(const char *client_user_id, int count) {
  long long give_up = now_ms() + 20000;
  while (requests(client_user_id) < count) CHECK(now_ms() < give_up);
}

static int run_alone(const test *one) {
  fflush(NULL);
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    one->run();
    exit(0); /* not _exit: leak checkers run at exit */
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0) CHECK(errno == EINTR);
  if (WIFSIGNALED(status)) printf("signal %d in the next test:\n", WTERMSIG(status));
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static int is_wanted(const char *name, int argc, char **argv) {
  int wanted = argc < 2;
  for (int i = 1; i < argc; i++) wanted |= strcmp(argv[i], name) == 0;
  return wanted;
}

int run_tests(const test *tests, size_t count, int argc, char **argv) {
  int passed = 0, failed = 0;
  start_sandbox();
  for (size_t i = 0; i < count; i++) {
    if (!is_wanted(tests[i].name, argc, argv)) continue;
    int holds = run_alone(&tests[i]);
    printf("%s %s\n", holds ? "ok    " : "FAILED", tests[i].name);
    holds ? passed++ : failed++;
  }
  printf("%d passed, %d failed\n", passed, failed);
  return failed == 0 && passed > 0 ? 0 : 1;
}

static int entries_of(const char *path) {
  int count = 0;
  DIR *directory = opendir(path);
  CHECK(directory != NULL);
  while (readdir(directory) != NULL) count++;
  closedir(directory);
  return count;
}

int descriptors(void) { return entries_of("/proc/self/fd"); }

int threads(void) { return entries_of("/proc/self/task"); }
