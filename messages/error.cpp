#include "messages/error.hpp"

namespace lathe {

std::string describe(const caf::error& x) {
  if (!x)
    return "no error";
  if (x.context().match_elements<std::string>())
    return x.context().get_as<std::string>(0);
  return caf::to_string(x);
}

} // namespace lathe
