#pragma once

#include "gpu/evaluation_site.hpp"
#include "messages/interfaces.hpp"

#include <caf/fwd.hpp>

#include <memory>

// The actors that do an evaluator's blocking work, each on a thread of its own. The runtime puts
// pools of them behind one `evaluator_actor`.

namespace lathe::gpu {

/// Loads and times references.
using preparer_actor = caf::typed_actor<caf::result<task_profile>(prepare_request)>;

/// Judges candidates.
using judge_actor = caf::typed_actor<caf::result<verdict>(evaluation_request)>;

preparer_actor spawn_preparer(caf::actor_system& sys, std::shared_ptr<evaluation_site> site,
                              const gpu_owner_actor& owner);

judge_actor spawn_judge(caf::actor_system& sys, std::shared_ptr<evaluation_site> site,
                        const gpu_owner_actor& owner);

/// Runs recipe passes.
recipe_actor spawn_recipe_runner(caf::actor_system& sys, std::shared_ptr<evaluation_site> site);

} // namespace lathe::gpu
