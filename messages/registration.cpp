#include "messages/registration.hpp"

#include "messages/error.hpp"
#include "messages/interfaces.hpp"
#include "messages/topology.hpp"

#include <caf/init_global_meta_objects.hpp>

namespace lathe {

void register_messages() {
  static const bool once = [] {
    caf::init_global_meta_objects<caf::id_block::lathe>();
    caf::core::init_global_meta_objects();
    return true;
  }();
  static_cast<void>(once);
}

} // namespace lathe
