#include "gpu/evaluation_agents.hpp"

#include "gpu/evaluation.hpp"
#include "gpu/gpu_owner.hpp"
#include "gpu/recipe_runner.hpp"
#include "gpu/task_preparation.hpp"
#include "messages/error.hpp"

#include <caf/actor_system.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

namespace lathe::gpu {

namespace {

// Longer than any queue of evaluations should be.
constexpr std::int64_t lease_patience_ms = 3'600'000;

/// Asks the GPU owner from a thread that may block. When it goes, the owner takes back what it holds.
class owner_leases : public lease_source {
public:
  owner_leases(caf::actor_system& sys, gpu_owner_actor owner, const evaluation_site& site,
               session_id session)
    : self_(sys), owner_(std::move(owner)), wanted_alone_(site.wanted_alone()),
      session_(std::move(session)) {
    // nop
  }

  caf::expected<lease> acquire(lease_kind kind, std::int32_t priority) override {
    caf::expected<lease> result{caf::error{}};
    lease_request request{session_, kind, priority, lease_patience_ms};
    self_->request(owner_, patience(request), request)
      .receive([&](lease& x) { result = x; }, [&](caf::error& reason) { result = std::move(reason); });
    return result;
  }

  bool is_wanted_alone() override {
    return *wanted_alone_;
  }

  void release(const lease& x, bool suspect) override {
    self_->send(owner_, lease_release{x.fence, suspect});
  }

private:
  caf::scoped_actor self_;
  gpu_owner_actor owner_;
  std::shared_ptr<const std::atomic<bool>> wanted_alone_;
  session_id session_;
};

} // namespace

preparer_actor spawn_preparer(caf::actor_system& sys, std::shared_ptr<evaluation_site> site,
                              const gpu_owner_actor& owner) {
  auto run = [site, owner](preparer_actor::pointer self) -> preparer_actor::behavior_type {
    return {
      [self, site, owner](prepare_request& x) -> caf::result<task_profile> {
        owner_leases leases{self->system(), owner, *site, x.subject.name};
        auto oracle = prepare_oracle(x.subject, *site, leases);
        if (!oracle)
          return std::move(oracle.error());
        auto names = x.only_eager ? std::vector<std::string>{} : site->config().baselines;
        if (auto error = measure_baselines(**oracle, *site, leases, names))
          return error;
        site->add_oracle(x.subject.name, *oracle);
        return (*oracle)->profile();
      },
    };
  };
  return sys.spawn<caf::detached>(std::move(run));
}

judge_actor spawn_judge(caf::actor_system& sys, std::shared_ptr<evaluation_site> site,
                        const gpu_owner_actor& owner) {
  auto run = [site, owner](judge_actor::pointer self) -> judge_actor::behavior_type {
    return {
      [self, site, owner](evaluation_request& x) -> caf::result<verdict> {
        auto oracle = site->oracle(x.session);
        if (!oracle)
          return site->closed() ? make_error(errc::cancelled, "the run stops")
                                : make_error(errc::evaluator_failed, "the task was not prepared");
        owner_leases leases{self->system(), owner, *site, x.session};
        auto find = [&] { return caf::expected{oracle}; };
        auto result = evaluation{x, oracle->rules(), find, *site, leases}.run();
        if (!result)
          return std::move(result.error());
        return std::move(*result);
      },
    };
  };
  return sys.spawn<caf::detached>(std::move(run));
}

recipe_actor spawn_recipe_runner(caf::actor_system& sys, std::shared_ptr<evaluation_site> site) {
  auto run = [site](recipe_actor::pointer) -> recipe_actor::behavior_type {
    return {
      [site](recipe_request& x) -> caf::result<recipe_book> {
        auto result = run_recipes(x, *site);
        if (!result)
          return std::move(result.error());
        return std::move(*result);
      },
    };
  };
  return sys.spawn<caf::detached>(std::move(run));
}

} // namespace lathe::gpu
