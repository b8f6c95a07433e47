// Sends from an event loop that never blocks for a message, and has no threads of its own.
//
// Reads lines with a client_user_id and a content, and reports the outcome of each as soon as it is known:
//
//     c++ -std=c++17 queue.cpp $(pkg-config --cflags --libs userengage) -o queue
//     printf '42 Hi\n43 Hello\n' | UE_API_KEY=... ./queue

#include <poll.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <string>
#include <userengage.hpp>

namespace {

void report(const std::string &client_user_id, const userengage::Result &result) {
  std::cout << client_user_id << ": " << (result.ok() ? "delivered" : result.message());
  if (result.retry() == userengage::Retry::later) std::cout << " [send it again later]";
  std::cout << std::endl;
}

}  // namespace

int main() try {
  userengage::Options options;
  options.base_url = std::getenv("UE_BASE_URL");  // NULL: the service itself
  const userengage::Client client(std::getenv("UE_API_KEY"), options);

  userengage::QueueOptions limits;
  limits.capacity = 1000;
  limits.max_failures_in_a_row = 10;  // an outage ends ten messages, not all of them
  userengage::Queue queue(client, limits);

  std::setvbuf(stdin, nullptr, _IONBF, 0);  // unbuffered: poll() does not see lines in a buffer
  std::size_t unfinished = 0;
  bool has_input = true;
  while (has_input || unfinished > 0) {
    const bool has_room = unfinished < limits.capacity;
    pollfd events[] = {{has_input && has_room ? STDIN_FILENO : -1, POLLIN, 0}, {queue.fd(), POLLIN, 0}};
    if (poll(events, 2, -1) < 0) continue;  // a signal
    if (events[1].revents != 0) unfinished -= queue.run_ready();
    if (events[0].revents == 0) continue;

    std::string line;
    if (!std::getline(std::cin, line)) {
      has_input = false;
      continue;
    }
    const auto blank = line.find(' ');
    const auto client_user_id = line.substr(0, blank);
    const auto content = blank == std::string::npos ? std::string() : line.substr(blank + 1);
    const auto [id, pushed] =
        queue.try_push({client_user_id, content},
                       [client_user_id](const userengage::Result &result) { report(client_user_id, result); });
    if (pushed) {
      ++unfinished;
    } else {
      report(client_user_id, pushed);
    }
  }
} catch (const userengage::Error &error) {
  std::cerr << name(error.status()) << ": " << error.what() << '\n';
  return 2;
}
