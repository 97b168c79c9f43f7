#include "runtime/evaluator.hpp"

#include "actors/agent_pool.hpp"
#include "gpu/device_probe.hpp"
#include "gpu/evaluation_agents.hpp"
#include "gpu/gpu_owner.hpp"

#include <caf/actor_cast.hpp>
#include <caf/actor_system.hpp>

#include <algorithm>
#include <map>
#include <thread>

namespace lathe::runtime {

namespace {

// An evaluation has limits of its own for every stage, and may have to wait for leases; this is for
// a worker that is lost.
constexpr double worker_patience = 2 * 3600;

agent_config workers(const char* name, std::int32_t instances) {
  agent_config result;
  result.name = name;
  result.instances = instances;
  result.timeout = worker_patience;
  return result;
}

std::int32_t cores() {
  return std::max(1, static_cast<std::int32_t>(std::thread::hardware_concurrency()));
}

} // namespace

evaluator spawn_evaluator(caf::actor_system& sys, std::shared_ptr<gpu::evaluation_site> site,
                          journal_actor journal, std::function<void(const device_event&)> tell) {
  gpu::gpu_owner_options owning;
  owning.device = site->device().name();
  owning.journal = std::move(journal);
  owning.tell = std::move(tell);
  if (site->device().cuda)
    owning.probe = gpu::spawn_device_probe(sys, [site] { return gpu::probe_device(*site); });
  auto owner = gpu::spawn_gpu_owner(sys, std::move(owning));
  auto configured = site->config().workers;
  auto usual = static_cast<std::int32_t>(site->usual_workers());
  auto judges = actors::spawn_agent_pool<evaluation_request, verdict>(
    sys, workers("evaluator", configured > 0 ? configured : usual),
    [site, owner](caf::actor_system& home, const agent_config&) {
      return gpu::spawn_judge(home, site, owner);
    });
  auto preparers = actors::spawn_agent_pool<prepare_request, task_profile>(
    sys, workers("oracles", cores()), [site, owner](caf::actor_system& home, const agent_config&) {
      return gpu::spawn_preparer(home, site, owner);
    });
  auto recipes = actors::spawn_agent_pool<recipe_request, recipe_book>(
    sys, workers("recipe passes", 1), [site](caf::actor_system& home, const agent_config&) {
      return gpu::spawn_recipe_runner(home, site);
    });
  return {spawn_evaluator_front(sys, preparers, judges, recipes),
          caf::actor_cast<pool_actor>(judges),
          caf::actor_cast<pool_actor>(preparers),
          caf::actor_cast<pool_actor>(recipes),
          owner,
          site};
}

namespace {

// Which evaluator works for which session.
class session_places {
public:
  explicit session_places(std::size_t count) : sessions_(count) {
    // nop
  }

  std::size_t of(const session_id& session) {
    auto [place, is_new] = places_.try_emplace(session, 0);
    if (is_new) {
      auto fewest = std::ranges::min_element(sessions_);
      ++*fewest;
      place->second = static_cast<std::size_t>(fewest - sessions_.begin());
    }
    return place->second;
  }

private:
  std::vector<std::size_t> sessions_; // how many each one has
  std::map<session_id, std::size_t> places_;
};

} // namespace

evaluator_actor spawn_evaluator_router(caf::actor_system& sys,
                                       std::vector<evaluator_actor> fronts) {
  return sys.spawn([fronts = std::move(fronts)](
                     evaluator_actor::pointer self) -> evaluator_actor::behavior_type {
    auto places = std::make_shared<session_places>(fronts.size());
    return {
      [=](prepare_request& x) {
        return self->delegate(fronts[places->of(x.subject.name)], std::move(x));
      },
      [=](evaluation_request& x) {
        return self->delegate(fronts[places->of(x.session)], std::move(x));
      },
      [=](recipe_request& x) { return self->delegate(fronts.front(), std::move(x)); },
    };
  });
}

evaluator_actor
spawn_evaluator_front(caf::actor_system& sys,
                      caf::typed_actor<caf::result<task_profile>(prepare_request)> preparer,
                      caf::typed_actor<caf::result<verdict>(evaluation_request)> judge,
                      recipe_actor recipes) {
  return sys.spawn([=](evaluator_actor::pointer self) -> evaluator_actor::behavior_type {
    return {
      [=](prepare_request& x) { return self->delegate(preparer, std::move(x)); },
      [=](evaluation_request& x) { return self->delegate(judge, std::move(x)); },
      [=](recipe_request& x) { return self->delegate(recipes, std::move(x)); },
    };
  });
}

} // namespace lathe::runtime
