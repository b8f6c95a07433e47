/* Sends what nobody wrote, which valgrind is to find. */

#include <stdlib.h>
#include <userengage.h>

int main(void) {
  ue_options options = UE_OPTIONS_INIT;
  options.base_url = getenv("UE_BASE_URL");
  options.ca_file = getenv("UE_CA_FILE");
  ue_client *client = ue_client_new(getenv("UE_API_KEY"), &options, NULL);
  char *content = malloc(100);
  if (content == NULL) return 1;
  ue_message message = UE_MESSAGE_INIT;
  message.client_user_id = "42";
  message.content = content;
  message.content_length = 100;
  int failed = ue_send_conversation(client, &message, NULL) != UE_OK;
  free(content);
  ue_free(client);
  return failed;
}
