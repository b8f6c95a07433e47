// What the two shared objects of test_cpp_shared.cpp have.

#ifndef TEST_CPP_SHARED_H
#define TEST_CPP_SHARED_H

#include <string>
#include <typeinfo>

#define SHOWN __attribute__((visibility("default")))

SHOWN void throw_an_error();
SHOWN const std::type_info &type_that_is_thrown();

/* The what() of the Error that this throws. */
SHOWN std::string what_is_caught(void (*throws)());
SHOWN const std::type_info &type_that_is_caught();

#endif
