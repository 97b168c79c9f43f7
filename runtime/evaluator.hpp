#pragma once

#include "gpu/evaluation_site.hpp"
#include "messages/device_event.hpp"
#include "messages/interfaces.hpp"

#include <caf/fwd.hpp>

#include <functional>
#include <memory>

namespace lathe::runtime {

/// The evaluator of one node: a front for pools of actors that block. Whoever spawns it ends it:
/// first `site->close()`, then the actors.
struct evaluator {
  evaluator_actor front;
  pool_actor judges;
  pool_actor preparers;
  pool_actor recipes;
  gpu_owner_actor owner;
  std::shared_ptr<gpu::evaluation_site> site;
};

/// Spawns the evaluator and the owner of its device, whose leases go to the journal.
/// @param tell is called with what people have to hear of the device, from any thread
evaluator spawn_evaluator(caf::actor_system& sys, std::shared_ptr<gpu::evaluation_site> site,
                          journal_actor journal, std::function<void(const device_event&)> tell);

/// Spawns a front for any three actors that prepare, judge and run recipes; tests give fakes.
/// @param release is called when a task is given up
evaluator_actor
spawn_evaluator_front(caf::actor_system& sys,
                      caf::typed_actor<caf::result<task_profile>(prepare_request)> preparer,
                      caf::typed_actor<caf::result<verdict>(evaluation_request)> judge,
                      recipe_actor recipes, std::function<void(const session_id&)> release);

} // namespace lathe::runtime
