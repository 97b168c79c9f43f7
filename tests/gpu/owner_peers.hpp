#pragma once

#include "gpu/gpu_owner.hpp"
#include "gpu/lease_log.hpp"
#include "messages/error.hpp"
#include "messages/event_json.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/init_global_meta_objects.hpp>
#include <caf/scheduler/test_coordinator.hpp>
#include <caf/send.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <caf/typed_response_promise.hpp>

#include <gtest/gtest.h>

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace lathe::test {

/// What a GPU owner has written, record by record.
struct written_records {
  std::vector<journal_record> all;

  template <class T>
  std::vector<T> of_kind(std::string_view kind) const {
    std::vector<T> result;
    for (auto& x : all)
      if (x.kind == kind)
        result.push_back(*from_json<T>(x.payload));
    return result;
  }

  std::vector<lease_span> spans() const {
    return of_kind<lease_span>(gpu::lease_event);
  }

  /// "quarantined", "recovered", ...
  std::vector<std::string> news() const {
    std::vector<std::string> result;
    for (auto& x : of_kind<device_event>(device_event::kind))
      result.push_back(to_string(x.state));
    return result;
  }
};

/// Probes that a GPU owner has asked for.
struct asked_probes {
  std::size_t all = 0;
  std::size_t waiting = 0;              ///< for an answer
  std::function<void()> passed = [] {}; ///< called when one is answered with success
};

/// A probe that answers when it is told to: nothing is success, a text what it found; "cancelled"
/// is no finding.
using scripted_probe = gpu::device_probe_actor::extend<caf::result<void>(std::string)>;

/// A test that owns scheduler and clock: nothing happens but when it says so. The owner's journal
/// and probe are the test's.
class owner_world : public testing::Test {
protected:
  static void SetUpTestSuite() {
    caf::init_global_meta_objects<caf::id_block::lathe>();
    caf::core::init_global_meta_objects();
  }

  void TearDown() override {
    caf::anon_send_exit(owner, caf::exit_reason::user_shutdown);
    caf::anon_send_exit(journal, caf::exit_reason::user_shutdown);
    caf::anon_send_exit(probe, caf::exit_reason::user_shutdown);
    run();
  }

  gpu::gpu_owner_options options() {
    gpu::gpu_owner_options result;
    result.journal = journal;
    result.probe = probe;
    return result;
  }

  /// Answers the oldest probe that waits, as soon as actors run.
  void answer_probe(std::string found = {}) {
    caf::anon_send(probe, std::move(found));
  }

  void run() {
    scheduler().run();
  }

  void pass(caf::timespan time) {
    scheduler().advance_time(time);
    run();
  }

  caf::scheduler::test_coordinator& scheduler() {
    return dynamic_cast<caf::scheduler::test_coordinator&>(sys.scheduler());
  }

  struct config : caf::actor_system_config {
    config() {
      set("caf.scheduler.policy", "testing");
    }
  };

  static journal_actor::behavior_type run_journal(journal_actor::pointer,
                                                  std::shared_ptr<written_records> records) {
    return {
      [records](journal_append& x) -> caf::result<std::int64_t> {
        records->all.insert(records->all.end(), x.records.begin(), x.records.end());
        return static_cast<std::int64_t>(records->all.size());
      },
      [](flush_atom) {},
    };
  }

  // Promises stay in the actor: only it may fulfil them.
  static scripted_probe::behavior_type run_probe(scripted_probe::pointer self,
                                                 std::shared_ptr<asked_probes> asked) {
    auto waiting = std::make_shared<std::deque<caf::typed_response_promise<void>>>();
    return {
      [self, asked, waiting](start_atom) -> caf::result<void> {
        waiting->push_back(self->make_response_promise<void>());
        ++asked->all;
        ++asked->waiting;
        return waiting->back();
      },
      [asked, waiting](std::string& found) {
        if (waiting->empty())
          return;
        --asked->waiting;
        if (found.empty()) {
          asked->passed();
          waiting->front().deliver();
        } else {
          auto code = found == "cancelled" ? errc::cancelled : errc::environment_error;
          waiting->front().deliver(make_error(code, std::move(found)));
        }
        waiting->pop_front();
      },
    };
  }

  config cfg;
  caf::actor_system sys{cfg};
  std::shared_ptr<written_records> written = std::make_shared<written_records>();
  std::shared_ptr<asked_probes> probes = std::make_shared<asked_probes>();
  journal_actor journal = sys.spawn(run_journal, written);
  scripted_probe probe = sys.spawn(run_probe, probes);
  gpu_owner_actor owner;
};

} // namespace lathe::test
