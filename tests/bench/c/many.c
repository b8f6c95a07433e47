/* Sends many messages with one call, each to a customer of its own: `many COUNT CONNECTIONS MAX_PER_SECOND RESULTS`, the
   last two 0 for no limit and for no results. Prints how many were delivered and how many requests were begun (of results
   alone), the microseconds that the call took, of CPU and of time, and KiB: the most memory that was resident, and how
   much more that is than before the call. */

#include "message.h"
#include <string.h>

struct id {
  char text[24];
};

/* A line of /proc/self/status. ru_maxrss will not do: it begins with that of the process before exec. */
static long status_kib(const char *name) {
  char line[256];
  long kib = -1;
  FILE *file = fopen("/proc/self/status", "r");
  require(file != NULL, "no /proc/self/status");
  while (kib < 0 && fgets(line, sizeof line, file))
    if (strncmp(line, name, strlen(name)) == 0) kib = atol(line + strlen(name));
  fclose(file);
  return kib;
}

int main(int argc, char **argv) {
  require(argc == 5, "usage: many COUNT CONNECTIONS MAX_PER_SECOND RESULTS");
  size_t count = strtoul(argv[1], NULL, 10);
  ue_client *client = new_client(atoi(argv[2]), atoi(argv[3]));

  struct id *ids = calloc(count, sizeof *ids);
  ue_message *messages = calloc(count, sizeof *messages);
  ue_result **results = malloc(count * sizeof *results);
  int with_results = atoi(argv[4]);
  require(ids && messages && results, "no memory");
  memset(results, 0xff, count * sizeof *results); /* resident now, and not on the library's account */
  for (size_t i = 0; i < count; i++) {
    snprintf(ids[i].text, sizeof ids[i].text, "%zu", i + 1);
    messages[i] = message_to(ids[i].text);
  }

  struct moment before, after;
  long resident_before = status_kib("VmRSS:");
  look(&before);
  ue_status status = ue_send_conversations(client, messages, count, NULL, with_results ? results : NULL);
  look(&after);
  long peak = status_kib("VmHWM:");

  size_t delivered = with_results || status != UE_OK ? 0 : count, attempts = 0;
  for (size_t i = 0; with_results && i < count; i++) {
    delivered += ue_result_status(results[i]) == UE_OK;
    attempts += ue_result_attempts(results[i]);
    ue_result_free(results[i]);
  }
  printf("%zu %zu %lld %lld %ld %ld\n", delivered, attempts, after.user + after.system - before.user - before.system,
         after.wall - before.wall, peak, peak - resident_before);
  ue_free(client);
  return 0;
}
