/* Sends from an event loop. The calls wait in a worker thread, so the loop never blocks.
 *
 * Reads lines with a client_user_id and a content, and reports the outcome of each, in order:
 *
 *     cc -pthread event_loop.c $(pkg-config --cflags --libs userengage) -o event_loop
 *     printf '42 Hi\n43 Hello\n' | UE_API_KEY=... ./event_loop */

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <userengage.h>

typedef struct job {
  char line[1024];
  ue_message message;
  ue_result *result;
} job;

/* Two pipes are the queues. A pointer is written and read in one piece, and poll() can wait for it. */
typedef struct worker {
  ue_client *client;
  int todo[2], done[2];
} worker;

static void *work(void *argument) {
  worker *self = argument;
  job *next;
  while (read(self->todo[0], &next, sizeof next) == (ssize_t)sizeof next) {
    ue_send_conversation(self->client, &next->message, &next->result);
    if (write(self->done[1], &next, sizeof next) < 0) break;
  }
  close(self->done[1]); /* ends the loop */
  return NULL;
}

/* Queues the next line of standard input as a message. False at the end of the input. */
static bool take_line(worker *self) {
  job *next = calloc(1, sizeof *next);
  if (next == NULL || fgets(next->line, sizeof next->line, stdin) == NULL) {
    free(next);
    return false;
  }
  next->line[strcspn(next->line, "\n")] = '\0';
  char *space = strchr(next->line, ' ');
  if (space != NULL) *space = '\0';
  next->message = (ue_message)UE_MESSAGE_INIT;
  next->message.client_user_id = next->line;
  next->message.content = space == NULL ? "" : space + 1;
  return write(self->todo[1], &next, sizeof next) > 0;
}

static bool report(worker *self) {
  job *done;
  if (read(self->done[0], &done, sizeof done) != (ssize_t)sizeof done) return false;
  bool delivered = ue_result_delivery(done->result) == UE_DELIVERED;
  printf("%s: %s\n", done->line, delivered ? "delivered" : ue_result_message(done->result));
  fflush(stdout);
  ue_result_free(done->result);
  free(done);
  return true;
}

int main(void) {
  worker self;
  pthread_t thread;
  ue_options options = UE_OPTIONS_INIT;
  options.base_url = getenv("UE_BASE_URL"); /* NULL: the service itself */
  ue_result *result = NULL;
  self.client = ue_client_new(getenv("UE_API_KEY"), &options, &result);
  if (self.client == NULL) fprintf(stderr, "%s\n", ue_result_message(result));
  ue_result_free(result);
  if (self.client == NULL || pipe(self.todo) != 0 || pipe(self.done) != 0) return 2;
  setvbuf(stdin, NULL, _IONBF, 0); /* unbuffered: poll() does not see lines in a buffer */
  if (pthread_create(&thread, NULL, work, &self) != 0) return 2;

  struct pollfd events[] = {{STDIN_FILENO, POLLIN, 0}, {self.done[0], POLLIN, 0}};
  for (;;) {
    if (poll(events, 2, -1) < 0) continue; /* a signal */
    if (events[1].revents != 0 && !report(&self)) break;
    if (events[0].revents != 0 && !take_line(&self)) {
      events[0].fd = -1;   /* no more lines: poll() ignores it */
      close(self.todo[1]); /* ends the worker, after the remaining messages */
    }
  }

  pthread_join(thread, NULL);
  ue_free(self.client);
  return 0;
}
