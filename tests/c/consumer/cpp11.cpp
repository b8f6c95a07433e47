// The C header in C++11.
#include <userengage.h>

int main() {
  ue_options options = UE_OPTIONS_INIT;
  ue_message message = UE_MESSAGE_INIT;
  options.api_version = 1;
  return ue_client_new("key", &options, nullptr) == nullptr &&
                 ue_send_conversation(nullptr, &message, nullptr) == UE_INVALID_ARGUMENT
             ? 0
             : 1;
}
