// Sends one message to a customer, and prints the outcome.
//
//     c++ -std=c++17 send.cpp $(pkg-config --cflags --libs userengage) -o send
//     UE_API_KEY=... ./send [client_user_id] [content]

#include <cstdlib>
#include <iostream>
#include <userengage.hpp>

int main(int argc, char **argv) try {
  userengage::Options options;
  options.base_url = std::getenv("UE_BASE_URL");  // NULL: the service itself
  userengage::Client client(std::getenv("UE_API_KEY"), options);

  userengage::Message message;
  message.client_user_id = argc > 1 ? argv[1] : "42";
  message.content = argc > 2 ? argv[2] : "Hi <b>user</b>, enjoy our product!";
  message.user = 926;
  message.source = userengage::Source::email;
  message.source_context = R"({"name": "This is source_context used in API", "id": 123})";

  auto result = client.send_conversation(message);
  std::cout << "delivered (HTTP " << *result.http_status() << ", " << result.elapsed().count() << " us)\n";
} catch (const userengage::Error &error) {
  std::cerr << name(error.status()) << ": " << error.what() << '\n';
  // A program that sends failed messages again, such as a worker of a queue, does so for this alone.
  if (error.retry() == userengage::Retry::later) std::cerr << "Send it again later: that is safe, and can help.\n";
  return 1;
}
