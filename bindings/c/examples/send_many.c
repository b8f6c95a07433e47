/* Sends a batch, and prints each outcome as soon as it is known. Ctrl-C ends it.
 *
 * Reads lines with a client_user_id and a content:
 *
 *     cc send_many.c $(pkg-config --cflags --libs userengage) -o send_many
 *     UE_API_KEY=... ./send_many <messages.txt */

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <userengage.h>

/* The only function of the library that a signal handler may call is ue_cancel_trigger. */
static ue_cancel *cancel;

static void on_interrupt(int number) {
  (void)number;
  ue_cancel_trigger(cancel);
}

/* Counts by what is to be done with a message. */
typedef struct counts {
  int delivered, later, decide, never;
} counts;

/* The place to write the outcome down: what was printed here is known even if the program is killed in the next moment. */
static int32_t on_result(void *user_data, size_t index, const ue_result *result) {
  counts *so_far = user_data;
  const char *line = ue_result_user_data(result);
  if (ue_result_delivery(result) == UE_DELIVERED) {
    so_far->delivered++;
    printf("%zu %s: delivered\n", index + 1, line);
  } else {
    ue_retry retry = ue_result_retry(result);
    ++*(retry == UE_RETRY_LATER ? &so_far->later : retry == UE_RETRY_NEVER ? &so_far->never : &so_far->decide);
    printf("%zu %s: %s\n", index + 1, line, ue_result_message(result));
  }
  fflush(stdout);
  return UE_BATCH_CONTINUE;
}

/* Reads a message for each line. The lines are its user_data. */
static size_t read_messages(ue_message **messages) {
  size_t count = 0;
  for (;;) {
    char *line = NULL;
    size_t size = 0;
    ue_message *more = realloc(*messages, (count + 1) * sizeof **messages);
    if (more != NULL) *messages = more;
    if (more == NULL || getline(&line, &size, stdin) < 0) {
      free(line);
      return count;
    }
    line[strcspn(line, "\n")] = '\0';
    char *space = strchr(line, ' ');
    if (space != NULL) *space = '\0';
    ue_message message = UE_MESSAGE_INIT;
    message.client_user_id = line;
    message.content = space == NULL ? "" : space + 1;
    message.user_data = line;
    (*messages)[count++] = message;
  }
}

int main(void) {
  ue_options options = UE_OPTIONS_INIT;
  options.base_url = getenv("UE_BASE_URL"); /* NULL: the service itself */
  ue_result *result = NULL;
  ue_client *client = ue_client_new(getenv("UE_API_KEY"), &options, &result);
  if (client != NULL) {
    ue_result_free(result);
    cancel = ue_cancel_new(&result);
  }
  if (cancel == NULL) {
    fprintf(stderr, "%s\n", ue_result_message(result));
    ue_result_free(result);
    ue_free(client);
    return 2;
  }
  ue_result_free(result);
  signal(SIGINT, on_interrupt);

  ue_message *messages = NULL;
  size_t count = read_messages(&messages);
  counts all = {0};
  ue_batch_options batch = UE_BATCH_OPTIONS_INIT;
  batch.on_result = on_result;
  batch.user_data = &all;
  batch.max_failures_in_a_row = 10; /* an outage makes ten unknown messages, not ten thousand */
  batch.cancel = cancel;
  ue_status status = ue_send_conversations(client, messages, count, &batch, NULL);
  printf("%d delivered, %d to be sent again, %d to be decided, %d wrong\n", all.delivered, all.later, all.decide,
         all.never);

  signal(SIGINT, SIG_DFL); /* before the handle is freed */
  ue_cancel_free(cancel);
  ue_free(client);
  for (size_t i = 0; i < count; i++) free(messages[i].user_data);
  free(messages);
  return status == UE_OK ? 0 : 1;
}
