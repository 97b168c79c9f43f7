#include "messages/error.hpp"

#include "messages/registration.hpp"

#include <caf/make_message.hpp>

namespace lathe {

caf::error make_error(errc code, std::string message) {
  register_messages(); // the sentence travels in a message
  return caf::error{code, caf::make_message(std::move(message))};
}

std::string describe(const caf::error& x) {
  if (!x)
    return "no error";
  if (x.context().match_elements<std::string>())
    return x.context().get_as<std::string>(0);
  return caf::to_string(x);
}

} // namespace lathe
