#include "messages/error.hpp"
#include "messages/interfaces.hpp"

#include <caf/init_global_meta_objects.hpp>

namespace {

// Linked into a test, this makes CAF know its own types and Lathe's before `main`: errors carry
// their sentence in a message, so even a test without actors needs them.
[[maybe_unused]] const bool initialised = [] {
  caf::init_global_meta_objects<caf::id_block::lathe>();
  caf::core::init_global_meta_objects();
  return true;
}();

} // namespace
