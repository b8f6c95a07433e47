// The second translation unit of test_cpp.cpp.

#include <userengage.hpp>

userengage::Status send_from_another_translation_unit(userengage::Client &client, std::string_view client_user_id);

userengage::Status send_from_another_translation_unit(userengage::Client &client, std::string_view client_user_id) {
  return client.try_send_conversation({client_user_id, "Hi"}).status();
}
