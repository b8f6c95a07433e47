// An Error goes from one shared object to another, each compiled with -fvisibility=hidden: test_cpp_throws.cpp throws it,
// test_cpp_catches.cpp catches it.

#include "test_cpp_shared.h"

#include "harness.h"

namespace {

void an_error_that_one_shared_object_throws_is_caught_as_such_in_another() {
  CHECK_TEXT(what_is_caught(throw_an_error).c_str(), "api_key has a NUL at byte 0: remove it");
}

// Not every C++ library compares the names of two types: with some, an Error is caught only if it is one type.
void an_error_is_one_type_in_all_shared_objects() { CHECK(&type_that_is_thrown() == &type_that_is_caught()); }

const test tests[] = {
    TEST(an_error_that_one_shared_object_throws_is_caught_as_such_in_another),
    TEST(an_error_is_one_type_in_all_shared_objects),
};

}  // namespace

MAIN(tests)
