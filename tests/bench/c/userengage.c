/* The library, from C. */

#include "message.h"

static ue_client *client;

static void send_one(void) {
  ue_message message = message_to(CLIENT_USER_ID);
  ue_result *result = NULL;
  ue_status status = ue_send_conversation(client, &message, &result);
  require(status == UE_OK && ue_result_http_status(result) == 201, ue_result_message(result));
  ue_result_free(result);
}

int main(void) {
  client = new_client(0, 0);
  take_turns(send_one);
  ue_free(client);
  return 0;
}
