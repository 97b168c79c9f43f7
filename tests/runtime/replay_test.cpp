#include "runtime/replay.hpp"

#include "actors/session_journal.hpp"
#include "messages/event_json.hpp"
#include "tests/runtime/journal/temporary_folder.hpp"

#include <gtest/gtest.h>

using namespace lathe;
using namespace lathe::test;
using runtime::journal_store;

namespace {

class replay : public temporary_folder {
protected:
  replay() {
    actors::session_started begun;
    begun.subject.name = "mlp";
    auto written = store.append({actors::to_record("mlp", begun)});
    EXPECT_TRUE(written) << sentence(written);
  }

  void append(std::string kind, std::string payload, double time = 0) {
    auto written = store.append({make_record("mlp", std::move(kind), std::move(payload), time)});
    EXPECT_TRUE(written) << sentence(written);
  }

  journal_store store = std::move(*journal_store::open_or_create(folder / "journal.sqlite"));
};

const lease_span span{"cpu", 1, lease_kind::exclusive, 0, 10, 12, 15, false};

} // namespace

TEST_F(replay, leases_are_no_part_of_a_session) {
  append("lease", to_json(span));
  auto past = runtime::read_past(store);
  ASSERT_TRUE(past) << sentence(past);
  EXPECT_EQ(past->sessions.at("mlp").events.size(), 1u);
  auto devices = past->leases.devices();
  ASSERT_EQ(devices.size(), 1u);
  EXPECT_EQ(devices[0].exclusive, 3);
}

TEST_F(replay, a_journal_without_leases_has_no_devices) {
  auto past = runtime::read_past(store);
  ASSERT_TRUE(past) << sentence(past);
  EXPECT_EQ(past->sessions.size(), 1u);
  EXPECT_TRUE(past->leases.devices().empty());
}

TEST_F(replay, leases_can_be_read_alone) {
  append("lease", to_json(span));
  auto leases = runtime::read_leases(store);
  ASSERT_TRUE(leases) << sentence(leases);
  EXPECT_EQ(leases->devices().front().leases, 1);
}

TEST_F(replay, the_latest_news_of_a_device_hold_until_it_is_used_again) {
  append("device", to_json(device_event{"cpu", device_state::quarantined, "no context"}), 11);
  append("device", to_json(device_event{"cpu", device_state::lost, "no context"}), 11.5);
  auto past = runtime::read_past(store);
  ASSERT_TRUE(past) << sentence(past);
  EXPECT_EQ(past->sessions.at("mlp").events.size(), 1u);
  EXPECT_EQ(past->devices.at("cpu").event.state, device_state::lost);
  append("lease", to_json(span));
  past = runtime::read_past(store);
  ASSERT_TRUE(past) << sentence(past);
  EXPECT_TRUE(past->devices.empty()) << "a lease was granted at 12";
}

TEST_F(replay, a_damaged_lease_names_its_event) {
  append("lease", "{}");
  auto past = runtime::read_past(store);
  ASSERT_FALSE(past);
  EXPECT_EQ(past.error(), errc::journal_failed);
  EXPECT_NE(sentence(past).find("event 2 (lease)"), std::string::npos) << sentence(past);
}
