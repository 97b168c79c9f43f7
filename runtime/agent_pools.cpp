#include "runtime/agent_pools.hpp"

#include "actors/agent_pool.hpp"
#include "actors/llm_agents.hpp"
#include "actors/recipe.hpp"

#include <caf/actor_cast.hpp>
#include <caf/actor_system.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>

#include <chrono>

namespace lathe::runtime {

using namespace actors;

namespace {

constexpr auto status_patience = std::chrono::seconds{2};

/// Spawns a pool whose agents are made by `make(sys, config, peer)`.
template <class Request, class Answer, class Make, class Peer>
caf::strong_actor_ptr spawn_pool(caf::actor_system& sys, const agent_config& config, Make make,
                                 const Peer& peer) {
  auto factory = [make, peer](caf::actor_system& home, const agent_config& x) {
    return make(home, x, peer);
  };
  return caf::actor_cast<caf::strong_actor_ptr>(
    spawn_agent_pool<Request, Answer>(sys, config, factory));
}

} // namespace

agent_pools::agent_pools(caf::actor_system& sys, gateway_actor gateway, evaluator_actor evaluator)
  : sys_(sys), gateway_(std::move(gateway)), evaluator_(std::move(evaluator)) {
  // nop
}

void agent_pools::adjust(const std::vector<agent_config>& agents) {
  std::map<std::string, agent_config> wanted;
  for (auto& config : agents)
    wanted.emplace(config.name, config);
  for (auto i = configs_.begin(); i != configs_.end();) {
    auto fresh = wanted.find(i->first);
    if (fresh != wanted.end() && fresh->second.role == i->second.role) {
      ++i;
      continue;
    }
    caf::anon_send(caf::actor_cast<pool_actor>(handles_.at(i->first)), drain_atom_v);
    handles_.erase(i->first);
    i = configs_.erase(i);
  }
  for (auto& [name, config] : wanted) {
    auto [i, added] = configs_.try_emplace(name, config);
    if (added) {
      handles_.emplace(name, spawn(config));
    } else if (i->second != config) {
      i->second = config;
      caf::anon_send(caf::actor_cast<pool_actor>(handles_.at(name)), pool_update{config});
    }
  }
}

void agent_pools::stop() {
  for (auto& [name, handle] : handles_)
    caf::anon_send_exit(caf::actor_cast<pool_actor>(handle), caf::exit_reason::kill);
  handles_.clear();
  configs_.clear();
}

std::vector<pool_status> agent_pools::status() const {
  std::vector<pool_status> result;
  caf::scoped_actor self{sys_};
  for (auto& [name, handle] : handles_)
    self->request(caf::actor_cast<pool_actor>(handle), status_patience, status_atom_v)
      .receive([&](pool_status& x) { result.push_back(std::move(x)); },
               [&, &pool = name](const caf::error&) { result.push_back({pool}); });
  return result;
}

caf::strong_actor_ptr agent_pools::spawn(const agent_config& config) const {
  switch (config.role) {
    case role::planner:
      return spawn_pool<plan_request, idea_list>(sys_, config, spawn_planner, gateway_);
    case role::coder:
      return spawn_pool<assignment, draft>(sys_, config, spawn_coder, gateway_);
    case role::fixer:
      return spawn_pool<fix_request, draft>(sys_, config, spawn_fixer, gateway_);
    case role::profiler:
      return spawn_pool<profile_request, insight>(sys_, config, spawn_profiler, gateway_);
    case role::recipe:
      return spawn_pool<recipe_request, recipe_book>(sys_, config, spawn_recipe, evaluator_);
  }
  return nullptr;
}

} // namespace lathe::runtime
