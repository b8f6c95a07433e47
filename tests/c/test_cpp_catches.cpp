#include <userengage.hpp>

#include "test_cpp_shared.h"

std::string what_is_caught(void (*throws)()) {
  try {
    throws();
  } catch (const userengage::Error &error) {
    return error.what();
  } catch (...) {
    return "another exception";
  }
  return "nothing";
}

const std::type_info &type_that_is_caught() { return typeid(userengage::Error); }
