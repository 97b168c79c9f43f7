#include "runtime/evaluator.hpp"

#include "actors/agent_pool.hpp"
#include "gpu/device_probe.hpp"
#include "gpu/evaluation_agents.hpp"
#include "gpu/gpu_owner.hpp"

#include <caf/actor_cast.hpp>
#include <caf/actor_system.hpp>

namespace lathe::runtime {

namespace {

// An evaluation has limits of its own for every stage, and may have to wait for leases; this is for
// a worker that is lost. A task may wait for memory until others have ended, which takes as long as
// they are worked on.
constexpr double worker_patience = 2 * 3600;
constexpr double preparer_patience = 30 * 24 * 3600;

agent_config workers(const char* name, std::int32_t instances, double patience = worker_patience) {
  agent_config result;
  result.name = name;
  result.instances = instances;
  result.timeout = patience;
  return result;
}

} // namespace

evaluator spawn_evaluator(caf::actor_system& sys, std::shared_ptr<gpu::evaluation_site> site,
                          journal_actor journal, std::function<void(const device_event&)> tell) {
  gpu::gpu_owner_options owning;
  owning.device = site->device().name();
  owning.journal = std::move(journal);
  owning.tell = std::move(tell);
  owning.wanted_alone = site->wanted_alone();
  if (site->device().cuda)
    owning.probe = gpu::spawn_device_probe(sys, [site] { return gpu::probe_device(*site); });
  auto owner = gpu::spawn_gpu_owner(sys, std::move(owning));
  auto configured = site->config().workers;
  auto usual = static_cast<std::int32_t>(site->usual_workers());
  auto cores = static_cast<std::int32_t>(site->cores());
  auto judges = actors::spawn_agent_pool<evaluation_request, verdict>(
    sys, workers("evaluator", configured > 0 ? configured : usual),
    [site, owner](caf::actor_system& home, const agent_config&) {
      return gpu::spawn_judge(home, site, owner);
    });
  auto preparers = actors::spawn_agent_pool<prepare_request, task_profile>(
    sys, workers("oracles", cores, preparer_patience),
    [site, owner](caf::actor_system& home, const agent_config&) {
      return gpu::spawn_preparer(home, site, owner);
    });
  auto recipes = actors::spawn_agent_pool<recipe_request, recipe_book>(
    sys, workers("recipe passes", cores),
    [site](caf::actor_system& home, const agent_config&) {
      return gpu::spawn_recipe_runner(home, site);
    });
  auto release = [site](const session_id& session) { site->remove_oracle(session); };
  return {spawn_evaluator_front(sys, preparers, judges, recipes, release),
          caf::actor_cast<pool_actor>(judges),
          caf::actor_cast<pool_actor>(preparers),
          caf::actor_cast<pool_actor>(recipes),
          owner,
          site};
}

evaluator_actor
spawn_evaluator_front(caf::actor_system& sys,
                      caf::typed_actor<caf::result<task_profile>(prepare_request)> preparer,
                      caf::typed_actor<caf::result<verdict>(evaluation_request)> judge,
                      recipe_actor recipes, std::function<void(const session_id&)> release) {
  return sys.spawn([=](evaluator_actor::pointer self) -> evaluator_actor::behavior_type {
    return {
      [=](prepare_request& x) { return self->delegate(preparer, std::move(x)); },
      [=](evaluation_request& x) { return self->delegate(judge, std::move(x)); },
      [=](recipe_request& x) { return self->delegate(recipes, std::move(x)); },
      [=](const task_release& x) { release(x.session); },
    };
  });
}

} // namespace lathe::runtime
