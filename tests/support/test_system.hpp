#pragma once

#include "messages/registration.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>

namespace lathe::test {

/// An actor system for tests that talk to real actors.
class test_system {
public:
  test_system() : system_(prepared(config_)) {
    // nop
  }

  caf::actor_system& get() {
    return system_;
  }

private:
  static caf::actor_system_config& prepared(caf::actor_system_config& config) {
    register_messages();
    config.set("caf.scheduler.policy", "sharing");
    config.set("caf.scheduler.max-threads", 2);
    return config;
  }

  caf::actor_system_config config_;
  caf::actor_system system_;
};

} // namespace lathe::test
