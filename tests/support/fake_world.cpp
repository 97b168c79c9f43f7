#include "tests/support/fake_world.hpp"

#include "messages/error.hpp"

#include <caf/actor_cast.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <fmt/format.h>

namespace lathe::test {

namespace {

template <class Interface, class... Handlers>
Interface spawn_fake(caf::actor_system& sys, Handlers... handlers) {
  return sys.spawn([=](typename Interface::pointer) -> typename Interface::behavior_type {
    return {handlers...};
  });
}

caf::strong_actor_ptr generic(const auto& handle) {
  return caf::actor_cast<caf::strong_actor_ptr>(handle);
}

} // namespace

verdict verdict_of(double speedup) {
  verdict result;
  result.outcome = speedup > 0 ? outcome::correct : outcome::incorrect;
  if (speedup > 0)
    result.timing = timing{1.0, 1.0 / speedup, speedup, 0.99 * speedup, 1.01 * speedup, 20, 6};
  else
    result.evidence = "all elements off";
  return result;
}

fake_world::~fake_world() {
  std::vector<caf::actor> all = {caf::actor_cast<caf::actor>(peers_.journal),
                                 caf::actor_cast<caf::actor>(peers_.evaluator)};
  for (auto& [name, agent] : peers_.agents)
    all.push_back(caf::actor_cast<caf::actor>(agent));
  caf::scoped_actor self{sys_};
  for (auto& actor : all) {
    self->send_exit(actor, caf::exit_reason::kill);
    self->wait_for(actor);
  }
}

fake_world::fake_world(caf::actor_system& sys)
  : judge([](const evaluation_request&) { return verdict_of(2.0); }), sys_(sys) {
  peers_.journal = spawn_fake<journal_actor>(
    sys,
    [this](journal_append& x) -> caf::result<std::int64_t> {
      if (disk_full)
        return make_error(errc::journal_failed, "the disk is full");
      std::lock_guard guard{mutex_};
      for (auto& record : x.records)
        records_.push_back(std::move(record));
      for (auto& content : x.contents)
        texts_.emplace(content.hash, std::move(content.text));
      return static_cast<std::int64_t>(records_.size());
    },
    [](flush_atom) {});
  peers_.evaluator = spawn_fake<evaluator_actor>(
    sys,
    [this](prepare_request&) {
      ++prepared;
      return task_profile{{}, {{"eager", 1.0}}, "", ""};
    },
    [this](evaluation_request& x) { return judge(x); },
    [](recipe_request&) {
      return recipe_book{{{"recipe source", "fold", "", {}}}, {}};
    },
    [this](const task_release&) { ++released; });
  auto code = [this](const std::string& from) {
    return draft{fmt::format("source {} of {}", ++coded, from), "", "", {1, 10, 0, 5, 0.01}};
  };
  peers_.agents["planner"] = generic(spawn_fake<planner_actor>(
    sys, [this](plan_request&) -> caf::result<idea_list> {
      if (plan_error)
        return plan_error;
      return idea_list{{"fuse", "tile"}, "", {1, 10, 0, 5, 0.01}};
    }));
  peers_.agents["coder"] =
    generic(spawn_fake<coder_actor>(sys, [this, code](assignment& x) -> caf::result<draft> {
      if (auto why = refuse_to_code ? refuse_to_code(x) : caf::error{})
        return why;
      return code(x.idea);
    }));
  peers_.agents["fixer"]
    = generic(spawn_fake<fixer_actor>(sys, [code](fix_request& x) { return code(x.rejected.id); }));
  peers_.agents["profiler"] = generic(
    spawn_fake<profiler_actor>(sys, [](profile_request&) { return insight{"memory bound", {}}; }));
  peers_.agents["recipes"] = generic(spawn_fake<recipe_actor>(
    sys, [](recipe_request&) { return recipe_book{{{"recipe source", "fold", "", {}}}, {}}; }));
}

std::vector<journal_record> fake_world::records() const {
  std::lock_guard guard{mutex_};
  return records_;
}

std::map<std::string, std::string> fake_world::texts() const {
  std::lock_guard guard{mutex_};
  return texts_;
}

} // namespace lathe::test
