/* Each macro and constant of userengage.h where a program uses it. run-tests compiles it in every language. */

int uses_of_the_header(ue_result **result);

int uses_of_the_header(ue_result **result) {
  ue_options options = UE_OPTIONS_INIT;
  ue_message message = UE_MESSAGE_INIT;
  ue_batch_options batch = UE_BATCH_OPTIONS_INIT;
  ue_queue_options of_queue = UE_QUEUE_OPTIONS_INIT;
  ue_outcome outcome = UE_OUTCOME_INIT;
  options.api_version = UE_API_VERSION_2;
  options.delivery_policy = UE_AT_LEAST_ONCE;
  options.log_level = UE_LOG_WARN;
  ue_client *client = ue_client_new("", &options, result);
  of_queue.timeout_from = UE_TIMEOUT_FROM_PUSH;
  ue_queue *queue = ue_queue_new(client, &of_queue, result);
  message.source = UE_SOURCE_EMAIL;
  message.content_length = UE_NUL_TERMINATED;
  ue_status status = ue_send_conversations(client, &message, 1, &batch, result);
  switch (status) {
    case UE_OK:
      return UE_BATCH_CONTINUE;
    case UE_SUSPENDED:
      return UE_BATCH_ABORT;
    default:
      break;
  }
  int32_t number = ue_queue_push(queue, &message, result);
  const char *name = ue_status_name(status);
  return outcome.delivery == UE_DELIVERED || outcome.retry == UE_RETRY_LATER || number == UE_TIMEOUT ||
         name[0] == '\0' || ue_version_number() < UE_VERSION_NUMBER;
}
