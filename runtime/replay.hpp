#pragma once

#include "actors/session_state.hpp"
#include "llm_clients/exchange.hpp"
#include "messages/device_event.hpp"
#include "runtime/journal/journal_store.hpp"
#include "runtime/lease_timeline.hpp"

#include <caf/expected.hpp>

#include <map>
#include <string>
#include <vector>

namespace lathe::runtime {

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

/// Reads a whole journal.
caf::expected<run_past> read_past(journal_store& journal);

/// Reads what a journal says about leases alone.
caf::expected<lease_timeline> read_leases(journal_store& journal);

/// Folds a session's events.
actors::session_state fold(session_past past);

} // namespace lathe::runtime
