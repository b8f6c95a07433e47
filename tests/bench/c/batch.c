/* Batches of the library, each message to a customer of its own: `batch CONNECTIONS`. */

#include "message.h"

struct id {
  char text[24];
};

static ue_client *client;
static long customer;

static void send_all(int messages) {
  struct id *ids = calloc(messages, sizeof *ids);
  ue_message *batch = calloc(messages, sizeof *batch);
  ue_result **results = calloc(messages, sizeof *results);
  require(ids && batch && results, "no memory");
  for (int i = 0; i < messages; i++) {
    snprintf(ids[i].text, sizeof ids[i].text, "%ld", ++customer);
    batch[i] = message_to(ids[i].text);
  }
  ue_status status = ue_send_conversations(client, batch, messages, NULL, results);
  require(status == UE_OK, "a message is not delivered");
  for (int i = 0; i < messages; i++) {
    require(ue_result_http_status(results[i]) == 201, ue_result_message(results[i]));
    ue_result_free(results[i]);
  }
  free(results);
  free(batch);
  free(ids);
}

int main(int argc, char **argv) {
  require(argc == 2, "usage: batch CONNECTIONS");
  int connections = atoi(argv[1]);
  client = new_client(connections, 0);
  take_turns_at_many(connections, send_all);
  ue_free(client);
  return 0;
}
