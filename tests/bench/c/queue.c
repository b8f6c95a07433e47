/* A queue of the library on poll: `queue CONNECTIONS CAPACITY`, the latter 0 for the default. Each message goes to a
   customer of its own. */

#include "message.h"
#include <poll.h>

enum { MOST_TAKEN = 256 };

static ue_queue *queue;
static long customer;

static int push(void) {
  char id[24];
  snprintf(id, sizeof id, "%ld", customer + 1);
  ue_message message = message_to(id);
  ue_status status = ue_queue_push(queue, &message, NULL);
  require(status == UE_OK || status == UE_QUEUE_FULL, "a message is refused");
  customer += status == UE_OK;
  return status == UE_OK;
}

/* Waits until something is finished, and checks it. Returns how many. */
static int finish(void) {
  struct pollfd finished = {.fd = ue_queue_fd(queue), .events = POLLIN};
  require(poll(&finished, 1, -1) == 1, "poll");
  ue_result *results[MOST_TAKEN];
  size_t taken = ue_queue_take(queue, results, MOST_TAKEN);
  for (size_t i = 0; i < taken; i++) {
    int holds = ue_result_status(results[i]) == UE_OK && ue_result_http_status(results[i]) == 201;
    require(holds, ue_result_message(results[i]));
    ue_result_free(results[i]);
  }
  return (int)taken;
}

static void send_all(int messages) {
  int pushed = 0, finished = 0;
  while (finished < messages) {
    while (pushed < messages && push()) pushed++;
    finished += finish();
  }
}

int main(int argc, char **argv) {
  require(argc == 3, "usage: queue CONNECTIONS CAPACITY");
  int connections = atoi(argv[1]);
  ue_client *client = new_client(connections, 0);
  ue_queue_options options = UE_QUEUE_OPTIONS_INIT;
  options.capacity = (uint32_t)atoi(argv[2]);
  queue = ue_queue_new(client, &options, NULL);
  require(queue != NULL, "no queue");
  take_turns_at_many(connections, send_all);
  ue_queue_free(queue);
  ue_free(client);
  return 0;
}
