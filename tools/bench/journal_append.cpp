// Appends a second through the journal actor, which writes many in one transaction, against one
// transaction per append, on the same disk in the same run.
//
//   journal_append [FOLDER [SECONDS]]

#include "messages/content_hash.hpp"
#include "messages/error.hpp"
#include "runtime/journal/journal_actor.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/init_global_meta_objects.hpp>
#include <caf/scoped_actor.hpp>

#include <fmt/format.h>

#include <chrono>
#include <cstdlib>
#include <deque>
#include <filesystem>

using namespace lathe;
using clock_type = std::chrono::steady_clock;

namespace fs = std::filesystem;

namespace {

struct system_config : caf::actor_system_config {
  system_config() {
    caf::init_global_meta_objects<caf::id_block::lathe>();
    caf::core::init_global_meta_objects();
    set("caf.scheduler.policy", "sharing");
  }
};

[[noreturn]] void give_up(const caf::error& x) {
  fmt::print(stderr, "{}\n", describe(x));
  std::exit(3);
}

/// Two events of a session's usual size, and every fourth time a candidate's source.
journal_append sample(std::int64_t number) {
  journal_append result;
  auto event = journal_record{0, 0, "attention", "candidate_received", std::string(400, 'x')};
  result.records = {event, event};
  if (number % 4 == 0) {
    auto text = std::string(4000, 'x') + std::to_string(number);
    result.contents.push_back({content_hash(text), text});
  }
  return result;
}

double seconds_since(clock_type::time_point start) {
  return std::chrono::duration<double>{clock_type::now() - start}.count();
}

runtime::journal_store open_store(const fs::path& folder, const std::string& name) {
  auto store = runtime::journal_store::open_or_create(folder / (name + ".sqlite"));
  if (!store)
    give_up(store.error());
  return std::move(*store);
}

/// Returns appends a second, each in a transaction of its own.
double one_by_one(const fs::path& folder, double limit) {
  auto store = open_store(folder, "single");
  std::int64_t count = 0;
  auto start = clock_type::now();
  while (seconds_since(start) < limit) {
    auto x = sample(count++);
    if (auto last = store.append(x.records, x.contents); !last)
      give_up(last.error());
  }
  return static_cast<double>(count) / seconds_since(start);
}

/// Returns appends a second when so many wait for an answer at any time.
double through_actor(system_config& config, const fs::path& folder, double limit,
                     std::size_t in_flight) {
  caf::actor_system sys{config}; // waits in its destructor until the journal is closed
  caf::scoped_actor self{sys};
  auto journal = runtime::spawn_journal(sys, open_store(folder, fmt::format("actor{}", in_flight)));
  auto send = [&](std::int64_t number) {
    return self->request(journal, std::chrono::minutes{1}, sample(number));
  };
  std::deque<decltype(send(0))> waiting;
  std::int64_t sent = 0;
  std::int64_t answered = 0;
  auto start = clock_type::now();
  while (seconds_since(start) < limit) {
    while (waiting.size() < in_flight)
      waiting.push_back(send(sent++));
    waiting.front().receive([&](std::int64_t) { ++answered; }, give_up);
    waiting.pop_front();
  }
  auto result = static_cast<double>(answered) / seconds_since(start);
  self->send_exit(journal, caf::exit_reason::user_shutdown);
  return result;
}

} // namespace

int main(int argc, char** argv) {
  auto parent = argc > 1 ? fs::path{argv[1]} : fs::temp_directory_path();
  auto limit = argc > 2 ? std::atof(argv[2]) : 2.0;
  auto pattern = (parent / "journal-append-XXXXXX").string();
  if (!mkdtemp(pattern.data())) {
    fmt::print(stderr, "{} is not a folder that can be written to\n", parent.string());
    return 3;
  }
  system_config config;
  auto base = one_by_one(pattern, limit);
  fmt::print("one transaction per append: {:8.0f} appends/s\n", base);
  for (std::size_t in_flight : {1, 8, 64}) {
    auto rate = through_actor(config, pattern, limit, in_flight);
    fmt::print("actor, {:2} in flight:        {:8.0f} appends/s   {:.1f}x\n", in_flight, rate,
               rate / base);
  }
  fs::remove_all(pattern);
}
