/* What it costs to begin: prints the microseconds in which the library is loaded, a client is made, and one that trusts
   Debian's store; and the KiB of memory that are resident after a first message and were not before the library. */

#include "harness.h"
#include <dlfcn.h>
#include <string.h>
#include <unistd.h>
#include <userengage.h>

static long long now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static long resident_kib(void) {
  long size, resident = 0;
  FILE *file = fopen("/proc/self/statm", "r");
  require(file && fscanf(file, "%ld %ld", &size, &resident) == 2, "no /proc/self/statm");
  fclose(file);
  return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

int main(void) {
  long before = resident_kib();
  long long began = now();
  void *library = dlopen(getenv("USERENGAGE_LIBRARY"), RTLD_NOW);
  long long loaded = now();
  require(library != NULL, "the library does not load");

  ue_client *(*client_new)(const char *, const ue_options *, ue_result **);
  ue_status (*send_conversation)(ue_client *, const ue_message *, ue_result **);
  void (*client_free)(ue_client *);
  *(void **)&client_new = dlsym(library, "ue_client_new");
  *(void **)&send_conversation = dlsym(library, "ue_send_conversation");
  *(void **)&client_free = dlsym(library, "ue_free");

  ue_options options = UE_OPTIONS_INIT;
  options.base_url = base_url();
  long long asked = now();
  ue_client *client = client_new(api_key(), &options, NULL);
  long long made = now();
  client_free(client);

  options.ca_file = ca_file();
  client = client_new(api_key(), &options, NULL);
  ue_message message = UE_MESSAGE_INIT;
  message.client_user_id = CLIENT_USER_ID;
  message.content = CONTENT;
  require(send_conversation(client, &message, NULL) == UE_OK, "not delivered");
  long after = resident_kib();
  client_free(client);

  options.ca_file = "/etc/ssl/certs/ca-certificates.crt";
  long long asked_of_store = now();
  client = client_new(api_key(), &options, NULL);
  long long made_of_store = now();
  require(client != NULL, "no client with Debian's store");
  client_free(client);

  printf("%.3f %.3f %.3f %ld\n", (loaded - began) / 1e3, (made - asked) / 1e3, (made_of_store - asked_of_store) / 1e3,
         after - before);
  return 0;
}
