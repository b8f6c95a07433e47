/* What it costs to give a queue a message: `push ROUNDS BURST ALONE`. Prints two lines, each with a name and a number for
   each round: the microseconds of CPU that the thread which pushes needs for one push. "burst": of BURST in a row, which the
   queue sends meanwhile. "alone": of ALONE that each find the queue at rest and wake its thread up. */

#include "message.h"

struct id {
  char text[24];
};

static ue_queue *queue;
static struct id *ids;

/* Microseconds of CPU of this thread. */
static double cpu(void) {
  struct timespec time;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return time.tv_sec * 1e6 + time.tv_nsec / 1e3;
}

/* What it costs to look at that clock. */
static double cost_of_looking(void) {
  enum { TIMES = 1000 };
  double before = cpu();
  for (int i = 0; i < TIMES; i++) cpu();
  return (cpu() - before) / TIMES;
}

static void push(int number) {
  ue_message message = message_to(ids[number].text);
  require(ue_queue_push(queue, &message, NULL) == UE_OK, "a message is refused");
}

static void drain(int messages) {
  while (messages > 0) {
    ue_result *results[256];
    require(ue_queue_poll(queue, 30000) == UE_OK, "nothing is finished");
    size_t taken = ue_queue_take(queue, results, 256);
    for (size_t i = 0; i < taken; i++) {
      require(ue_result_status(results[i]) == UE_OK, ue_result_message(results[i]));
      ue_result_free(results[i]);
    }
    messages -= (int)taken;
  }
}

static double burst(int messages, double looking) {
  double before = cpu();
  for (int i = 0; i < messages; i++) push(i);
  double after = cpu();
  drain(messages);
  return (after - before - looking) / messages;
}

static double alone(int messages, double looking) {
  double sum = 0;
  for (int i = 0; i < messages; i++) {
    nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL); /* the queue's thread is at rest then */
    double before = cpu();
    push(i);
    sum += cpu() - before - looking;
    drain(1);
  }
  return sum / messages;
}

static void measure(const char *name, double (*round)(int messages, double looking), int rounds, int messages) {
  double looking = cost_of_looking();
  round(messages, looking); /* warms up */
  printf("%s", name);
  for (int i = 0; i < rounds; i++) printf(" %.4f", round(messages, looking));
  printf("\n");
}

int main(int argc, char **argv) {
  require(argc == 4, "usage: push ROUNDS BURST ALONE");
  int rounds = atoi(argv[1]), in_burst = atoi(argv[2]), by_itself = atoi(argv[3]);
  int most = in_burst > by_itself ? in_burst : by_itself;
  ids = calloc(most, sizeof *ids);
  require(ids != NULL, "no memory");
  for (int i = 0; i < most; i++) snprintf(ids[i].text, sizeof ids[i].text, "%d", i + 1);
  ue_client *client = new_client(0, 0);
  ue_queue_options options = UE_QUEUE_OPTIONS_INIT;
  options.capacity = (uint32_t)most;
  queue = ue_queue_new(client, &options, NULL);
  require(queue != NULL, "no queue");
  measure("burst", burst, rounds, in_burst);
  measure("alone", alone, rounds, by_itself);
  ue_queue_free(queue);
  ue_free(client);
  free(ids);
  return 0;
}
