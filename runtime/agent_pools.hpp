#pragma once

#include "messages/interfaces.hpp"
#include "messages/topology.hpp"

#include <caf/expected.hpp>
#include <caf/fwd.hpp>
#include <caf/actor_control_block.hpp>

#include <map>
#include <string>
#include <vector>

namespace lathe::runtime {

/// The pools of a run's agents, by the agent's name. Used from one thread.
class agent_pools {
public:
  agent_pools(caf::actor_system& sys, gateway_actor gateway, evaluator_actor evaluator);

  /// Spawns, changes and drains pools until they are what `agents` says.
  void adjust(const std::vector<agent_config>& agents);

  /// Ends all pools at once; what they were asked fails.
  void stop();

  /// Handles for the sessions.
  const std::map<std::string, caf::strong_actor_ptr>& handles() const {
    return handles_;
  }

  /// Asks every pool how busy it is.
  std::vector<pool_status> status() const;

private:
  caf::strong_actor_ptr spawn(const agent_config& config) const;

  caf::actor_system& sys_;
  gateway_actor gateway_;
  evaluator_actor evaluator_;
  std::map<std::string, agent_config> configs_;
  std::map<std::string, caf::strong_actor_ptr> handles_;
};

} // namespace lathe::runtime
