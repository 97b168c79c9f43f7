#pragma once

#include "actors/session_state.hpp"
#include "llm_clients/exchange.hpp"
#include "messages/device_event.hpp"
#include "runtime/journal/journal_store.hpp"
#include "runtime/lease_timeline.hpp"

#include <caf/expected.hpp>

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace lathe::runtime {

/// Checks that what a journal says of its sessions can have happened, as far as whoever reads it
/// relies on that: it may come from anybody. Pure.
class past_check {
public:
  /// Takes the events of all sessions in their order. Fails with `user_error`.
  caf::error operator()(const journal_record& record, const actors::session_event& event);

private:
  // What is there of a session. Each member returns what is wrong with an event, or nothing.
  struct session {
    std::string change(const topology& x);
    bool is_about_what_is_there(const actors::request_issued& x) const;
    std::optional<actors::request_issued> take(request_id id);

    std::string on(const actors::topology_changed& x);
    std::string on(const actors::task_prepared& x);
    std::string on(const actors::request_issued& x);
    std::string on(const actors::ideas_received& x);
    std::string on(const actors::drafts_received& x);
    std::string on(const actors::verdict_received& x);
    std::string on(const actors::insight_received& x);
    std::string on(const actors::request_failed& x);

    topology plan;
    std::map<request_id, actors::request_issued> in_flight;
    std::int64_t lines = 0;
    std::size_t ideas = 0;
    std::set<candidate_id> candidates;
    std::set<candidate_id> judged;
  };

  std::string begin(const session_id& name, const actors::session_started& x);
  std::string problem(const session_id& name, const actors::session_event& event);

  std::map<session_id, session> sessions_;
};

/// What a journal says about one session.
struct session_past {
  std::vector<actors::session_event> events;
  std::map<std::string, std::string> texts; ///< candidates that the events name, by hash
};

/// The latest that people heard of a device.
struct device_news {
  device_event event;
  double time = 0; ///< [seconds since the epoch]
};

/// What a journal says about a run.
struct run_past {
  std::map<session_id, session_past> sessions;
  llm_clients::earlier_run answers; ///< that were paid for
  lease_timeline leases;
  std::map<std::string, device_news> devices; ///< those that got no lease since there was news
};

/// Reads a whole journal. Fails with `user_error` for one that `past_check` refuses.
caf::expected<run_past> read_past(journal_store& journal);

/// Reads what a journal says about leases alone.
caf::expected<lease_timeline> read_leases(journal_store& journal);

/// Folds a session's events.
actors::session_state fold(session_past past);

} // namespace lathe::runtime
