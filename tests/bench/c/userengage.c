/* The library, from C. */

#include "harness.h"
#include <userengage.h>

static ue_client *client;

static void send_one(void) {
  ue_message message = UE_MESSAGE_INIT;
  message.client_user_id = CLIENT_USER_ID;
  message.content = CONTENT;
  message.user = USER;
  message.source = SOURCE;
  message.source_context = SOURCE_CONTEXT;
  ue_result *result = NULL;
  ue_status status = ue_send_conversation(client, &message, &result);
  require(status == UE_OK && ue_result_http_status(result) == 201, ue_result_message(result));
  ue_result_free(result);
}

int main(void) {
  ue_options options = UE_OPTIONS_INIT;
  options.base_url = base_url();
  options.ca_file = ca_file();
  client = ue_client_new(api_key(), &options, NULL);
  take_turns(send_one);
  ue_free(client);
  return 0;
}
