#include "tools/lathe/failure.hpp"

#include "messages/error.hpp"
#include "tools/lathe/commands.hpp"

#include <cstdio>

namespace lathe::cli {

int fail(int code, const std::string& sentence) {
  std::fprintf(stderr, "%s\n", sentence.c_str());
  return code;
}

int exit_code_of(const caf::error& error) {
  auto user =
    error == errc::user_error || error == errc::bad_task || error == errc::provider_refused;
  return user ? user_mistake : environment_lacks;
}

int fail(const caf::error& error) {
  return fail(exit_code_of(error), describe(error));
}

} // namespace lathe::cli
