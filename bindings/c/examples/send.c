/* Sends one message to a customer, and prints the outcome.
 *
 *     cc send.c $(pkg-config --cflags --libs userengage) -o send
 *     UE_API_KEY=... ./send [client_user_id] [content]
 *
 * Exits with 0 if it was delivered, with 75 (EX_TEMPFAIL) if it is safe to run it again later, otherwise with 1. */

#include <stdio.h>
#include <stdlib.h>
#include <userengage.h>

int main(int argc, char **argv) {
  ue_options options = UE_OPTIONS_INIT;
  options.base_url = getenv("UE_BASE_URL"); /* NULL: the service itself */

  ue_result *result = NULL;
  ue_client *client = ue_client_new(getenv("UE_API_KEY"), &options, &result);
  if (client == NULL) {
    fprintf(stderr, "no client (UE_API_KEY, UE_BASE_URL): %s\n", ue_result_message(result));
    ue_result_free(result);
    return 1;
  }
  ue_result_free(result);

  ue_message message = UE_MESSAGE_INIT;
  message.client_user_id = argc > 1 ? argv[1] : "42";
  message.content = argc > 2 ? argv[2] : "Hi <b>user</b>, enjoy our product!";
  message.user = 926;
  message.source = UE_SOURCE_EMAIL;
  message.source_context = "{\"name\": \"This is source_context used in API\", \"id\": 123}";

  ue_status status = ue_send_conversation(client, &message, &result);
  if (status == UE_OK) {
    printf("delivered to %s (HTTP %d, %.1f ms)\n", message.client_user_id, (int)ue_result_http_status(result),
           (double)ue_result_elapsed_us(result) / 1000);
  } else { /* what happened, what is known of the message, what to do */
    fprintf(stderr, "%s: %s\n", ue_status_name(status), ue_result_message(result));
  }
  ue_retry retry = ue_result_retry(result);

  ue_result_free(result);
  ue_free(client);
  return status == UE_OK ? 0 : retry == UE_RETRY_LATER ? 75 : 1;
}
