/* Sends a message with libuserengage while another Rust library in this program catches panics of its own. */

#include <stdio.h>
#include <stdlib.h>
#include <userengage.h>

int ue_other_panics(void);

int main(void) {
  int before = ue_other_panics();
  ue_options options = UE_OPTIONS_INIT;
  options.base_url = getenv("UE_BASE_URL");
  ue_client *client = ue_client_new(getenv("UE_API_KEY"), &options, NULL);
  ue_message message = UE_MESSAGE_INIT;
  message.client_user_id = "42";
  message.content = "Hi";
  ue_result *result = NULL;
  ue_status status = ue_send_conversation(client, &message, &result);
  printf("%s\n", ue_result_message(result));
  ue_result_free(result);
  ue_free(client);
  int after = ue_other_panics();
  printf("%d and %d panics were caught\n", before, after);
  return status == UE_OK && before == 1 && after == 2 ? 0 : 1;
}
