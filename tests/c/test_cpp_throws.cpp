#include <userengage.hpp>

#include "test_cpp_shared.h"

void throw_an_error() { userengage::Client client(std::string_view("\0", 1)); }

const std::type_info &type_that_is_thrown() { return typeid(userengage::Error); }
