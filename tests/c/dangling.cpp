// What of userengage.hpp dangles, and what does not. run-tests has clang's -verify compare its warnings with the comments.

#include <cstdio>
#include <userengage.hpp>

using userengage::Cancel;
using userengage::Client;
using userengage::Message;
using userengage::Queue;
using userengage::Result;
using userengage::Text;

void dangles(Client &client, const Message &message) {
  std::string_view text = client.try_send_conversation(message).message();  // expected-warning {{will be destroyed}}
  std::string_view body = client.try_send_conversation(message).body();     // expected-warning {{will be destroyed}}
  const ue_result *result = client.try_send_conversation(message).get();    // expected-warning {{will be destroyed}}
  const ue_client *handle = Client("key").get();                            // expected-warning {{will be destroyed}}
  const char *copied = Text("Hi").c_str();                                  // expected-warning {{will be destroyed}}
  const char *what = userengage::Error(Result()).what();                    // expected-warning {{will be destroyed}}
  const Result &of = userengage::Error(Result()).result();                  // expected-warning {{will be destroyed}}
  const ue_cancel *cancel = Cancel().get();                                 // expected-warning {{will be destroyed}}
  const ue_queue *queue = Queue(client).get();                              // expected-warning {{will be destroyed}}
  std::printf("%s %s %s %s", text.data(), body.data(), copied, what);
  std::printf("%d %d %d", result == nullptr, handle == nullptr, of.ok());
  std::printf("%d %d", cancel == nullptr, queue == nullptr);
}

void holds(Client &client, const Message &message) {
  const auto text = client.try_send_conversation(message).message();
  const std::string body = client.try_send_conversation(message).body();
  const Result result = client.try_send_conversation(message);
  const std::string_view detail = result.detail();
  std::printf("%s %s %s", text.c_str(), body.c_str(), detail.data());
  std::puts(client.try_send_conversation(message).message().c_str());
  for (const char c : client.try_send_conversation(message).body()) std::putchar(c);
}
