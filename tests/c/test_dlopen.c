/* Loads the library at run time, as plug-ins and other languages do. This program is not linked with it. */

#include <dirent.h>
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <userengage.h>

#include "harness.h"

typedef struct library {
  void *handle;
  ue_client *(*client_new)(const char *, const ue_options *, ue_result **);
  ue_status (*send_conversation)(ue_client *, const ue_message *, ue_result **);
  void (*free_client)(ue_client *);
  const char *(*version)(void);
} library;

/* ISO C does not allow a cast from the result of dlsym to a function pointer. */
static void find(void *handle, const char *name, void *function) {
  void *symbol = dlsym(handle, name);
  CHECK(symbol != NULL);
  memcpy(function, &symbol, sizeof symbol);
}

static library load(void) {
  library loaded;
  loaded.handle = dlopen(UE_SONAME, RTLD_NOW | RTLD_LOCAL);
  if (loaded.handle == NULL) CHECK_TEXT(dlerror(), "");
  find(loaded.handle, "ue_client_new", &loaded.client_new);
  find(loaded.handle, "ue_send_conversation", &loaded.send_conversation);
  find(loaded.handle, "ue_free", &loaded.free_client);
  find(loaded.handle, "ue_version", &loaded.version);
  return loaded;
}

static void send_with(const library *loaded, const char *client_user_id) {
  ue_options options = UE_OPTIONS_INIT;
  options.base_url = the_sandbox.base_url;
  ue_client *client = loaded->client_new(the_sandbox.api_key, &options, NULL);
  ue_message message = UE_MESSAGE_INIT;
  message.client_user_id = client_user_id;
  message.content = "Hi";
  CHECK_INT(loaded->send_conversation(client, &message, NULL), UE_OK);
  loaded->free_client(client);
}

static int entries_of(const char *path) {
  int count = 0;
  DIR *directory = opendir(path);
  CHECK(directory != NULL);
  while (readdir(directory) != NULL) count++;
  closedir(directory);
  return count;
}

static long resident_pages(void) {
  long pages = 0;
  FILE *file = fopen("/proc/self/statm", "r");
  CHECK(file != NULL && fscanf(file, "%*s %ld", &pages) == 1);
  fclose(file);
  return pages;
}

static void the_library_may_be_loaded_used_and_closed_in_a_loop(void) {
  int descriptors = entries_of("/proc/self/fd"), threads = entries_of("/proc/self/task");
  long pages = 0;
  for (int i = 0; i < 100; i++) {
    library loaded = load();
    CHECK_TEXT(loaded.version(), UE_VERSION);
    send_with(&loaded, "1200");
    CHECK_INT(dlclose(loaded.handle), 0);
    if (i == 50) pages = resident_pages();
  }
  CHECK_INT(entries_of("/proc/self/fd"), descriptors);
  CHECK_INT(entries_of("/proc/self/task"), threads);
  CHECK(resident_pages() - pages < 64 || is_checked());
  CHECK_INT(requests("1200"), 100);
}

static void a_look_up_that_goes_on_after_dlclose_finds_its_code(void) {
  int threads = entries_of("/proc/self/task");
  library loaded = load();
  ue_options options = UE_OPTIONS_INIT;
  options.base_url = "https://no-such-host.invalid/";
  options.timeout_ms = 1;
  ue_client *client = loaded.client_new(the_sandbox.api_key, &options, NULL);
  ue_message message = UE_MESSAGE_INIT;
  message.client_user_id = "1201";
  message.content = "Hi";
  ue_status status = loaded.send_conversation(client, &message, NULL);
  CHECK(status == UE_TIMEOUT || status == UE_CONNECT); /* or the look-up fails within the millisecond */
  loaded.free_client(client);
  CHECK_INT(dlclose(loaded.handle), 0);
  long long give_up = now_ms() + 20000;
  threads += is_checked(); /* TSan starts its own with the first thread */
  while (entries_of("/proc/self/task") > threads) CHECK(now_ms() < give_up);
}

static void a_fork_after_dlclose_works(void) {
  library loaded = load();
  send_with(&loaded, "1202");
  CHECK_INT(dlclose(loaded.handle), 0);
  pid_t child = fork(); /* runs the handlers of pthread_atfork */
  CHECK(child >= 0);
  if (child == 0) _exit(0);
  int status = 1;
  CHECK(waitpid(child, &status, 0) == child && status == 0);
}

static const test tests[] = {
    TEST(the_library_may_be_loaded_used_and_closed_in_a_loop),
    TEST(a_look_up_that_goes_on_after_dlclose_finds_its_code),
    TEST(a_fork_after_dlclose_works),
};

MAIN(tests)
