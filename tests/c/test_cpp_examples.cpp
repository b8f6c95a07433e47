// The example queue.cpp, as a reader runs it. test_examples.c has send.cpp.

#include <array>
#include <cstdio>
#include <cstdlib>
#include <string>

#include <unistd.h>

#include "harness.h"

namespace {

/// Runs the example with these lines as its input. Checks its status, and returns its output.
std::string output_of_queue_cpp(const std::string &lines, int status) {
  std::array<char, 2048> self{}, part{};
  CHECK(readlink("/proc/self/exe", self.data(), self.size() - 1) > 0);
  std::string path = self.data();
  path.erase(path.rfind('/'));
  setenv("UE_BASE_URL", the_sandbox.base_url, 1);
  std::FILE *pipe = popen(("printf '" + lines + "' | '" + path + "/example_queue_cpp' 2>&1").c_str(), "r");
  CHECK(pipe != nullptr);
  std::string output;
  while (std::fgets(part.data(), static_cast<int>(part.size()), pipe) != nullptr) output += part.data();
  const int ended = pclose(pipe);
  CHECK(WIFEXITED(ended));
  CHECK_INT(WEXITSTATUS(ended), status);
  return output;
}

void queue_cpp_reports_every_line() {
  setenv("UE_API_KEY", the_sandbox.api_key, 1);
  order(R"({"fault": "status", "status": 401, "client_user_id": "561", "times": 1})");
  const auto output = output_of_queue_cpp("560 Hi\\n561 Hi\\nmissing-562 Hi\\n563\\n560 Hi <b>you</b>\\n", 0);
  CHECK_PART(output.c_str(), "560: delivered\n");
  CHECK_PART(output.c_str(), "561: The service answered 401");
  CHECK_PART(output.c_str(), " [send it again later]\n");
  CHECK_PART(output.c_str(), "missing-562: The service answered 404");
  CHECK_PART(output.c_str(), "563: content is empty");
  CHECK(output.find("later", output.find("later") + 1) == std::string::npos);
  CHECK_INT(requests("560"), 2);
}

void queue_cpp_says_what_is_wrong_with_a_key() {
  setenv("UE_API_KEY", "key\n", 1);
  const auto output = output_of_queue_cpp("564 Hi\\n", 2);
  CHECK_PART(output.c_str(), "UE_INVALID_ARGUMENT: api_key ");
}

const test tests[] = {
    TEST(queue_cpp_reports_every_line),
    TEST(queue_cpp_says_what_is_wrong_with_a_key),
};

}  // namespace

MAIN(tests)
