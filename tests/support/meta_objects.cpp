#include "messages/registration.hpp"

namespace {

// Linked into a test, this makes CAF know its own types and Lathe's before `main`.
[[maybe_unused]] const bool initialised = (lathe::register_messages(), true);

} // namespace
