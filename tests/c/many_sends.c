/* Sends one message many times; `instructions` counts its instructions. Argument: how often. */

#include <stdio.h>
#include <stdlib.h>
#include <userengage.h>

int main(int argc, char **argv) {
  int count = argc > 1 ? atoi(argv[1]) : 1;
  ue_options options = UE_OPTIONS_INIT;
  options.base_url = getenv("UE_BASE_URL");
  options.ca_file = getenv("UE_CA_FILE");
  ue_client *client = ue_client_new(getenv("UE_API_KEY"), &options, NULL);

  ue_message message = UE_MESSAGE_INIT;
  message.client_user_id = "42";
  message.content = "Hi <b>user</b>, enjoy our product!";
  message.user = 926;
  message.source = 2;
  message.source_context = "{\"name\": \"This is source_context used in API\", \"id\": 123}";
  for (int sent = 0; sent < count; sent++) {
    ue_result *result = NULL;
    if (ue_send_conversation(client, &message, &result) != UE_OK) {
      fprintf(stderr, "%s\n", ue_result_message(result));
      return 1;
    }
    ue_result_free(result);
  }
  ue_free(client);
  return 0;
}
