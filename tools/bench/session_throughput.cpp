// How many agents' outputs a node routes and journals in a second, with agents that answer at once.
// Prints the rate and its ratio to the 2,000 a second that a run must reach on two cores.

#include "actors/session.hpp"
#include "runtime/journal/journal_actor.hpp"
#include "tests/support/fake_world.hpp"
#include "tests/support/test_system.hpp"
#include "tests/support/topologies.hpp"

#include <caf/scoped_actor.hpp>

#include <fmt/format.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <future>

using namespace lathe;

namespace {

constexpr double wanted = 2000; // outputs a second
constexpr int sessions = 4;
constexpr std::int64_t queries = 1500; // of each session

topology wide_topology() {
  auto result = test::small_topology();
  result.budget.queries = queries;
  result.search.population = 16;
  return result;
}

bool is_output(const actors::session_event& event) {
  return std::holds_alternative<actors::drafts_received>(event)
         || std::holds_alternative<actors::verdict_received>(event)
         || std::holds_alternative<actors::insight_received>(event)
         || std::holds_alternative<actors::ideas_received>(event);
}

} // namespace

int main() {
  auto folder = std::filesystem::temp_directory_path() / fmt::format("lathe-bench-{}", getpid());
  std::filesystem::create_directories(folder);
  std::atomic<std::int64_t> outputs{0};
  std::atomic<int> running{sessions};
  std::promise<void> ended;
  double seconds = 0;
  {
    test::test_system system;
    test::fake_world world{system.get()};
    auto store = runtime::journal_store::open_or_create(folder / "journal.sqlite");
    if (!store)
      return EXIT_FAILURE;
    auto peers = world.peers();
    peers.journal = runtime::spawn_journal(system.get(), std::move(*store));
    caf::scoped_actor self{system.get()};
    std::vector<session_actor> all;
    auto begin = std::chrono::steady_clock::now();
    for (int i = 0; i < sessions; ++i) {
      actors::session_options options;
      options.name = fmt::format("task{}", i);
      options.past = {actors::session_started{task{options.name, "", ""}, wide_topology()}};
      options.peers = peers;
      options.clock = [] { return 0.0; };
      options.observe = [&](const actors::session_state&, const actors::session_event& event) {
        outputs += is_output(event) ? 1 : 0;
        if (std::holds_alternative<actors::session_ended>(event) && --running == 0)
          ended.set_value();
      };
      all.push_back(actors::spawn_session(system.get(), std::move(options)));
      self->send(all.back(), start_atom_v);
    }
    ended.get_future().wait();
    for (auto& session : all)
      self->send_exit(session, caf::exit_reason::kill);
    seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  }
  auto rate = static_cast<double>(outputs) / seconds;
  fmt::print("{} sessions, {} outputs routed and journaled in {:.2f} s: {:.0f} a second, {:.1f} times "
             "the {:.0f} wanted\n",
             sessions, outputs.load(), seconds, rate, rate / wanted, wanted);
  std::filesystem::remove_all(folder);
  return rate >= wanted ? EXIT_SUCCESS : EXIT_FAILURE;
}
