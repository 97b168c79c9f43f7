#pragma once

#include "actors/session_state.hpp"
#include "messages/session.hpp"
#include "messages/work.hpp"

#include <optional>
#include <string>
#include <vector>

// What a run shows while it works. Pure: states in, text out.

namespace lathe::runtime {

/// Returns "00:41", or "1:02:03" from an hour on.
std::string format_clock(double seconds);

/// What the live table shows.
struct progress_view {
  std::vector<session_status> sessions;
  std::vector<pool_status> pools;
  double elapsed = 0;         ///< [seconds] since the run began
  budget_config budget;       ///< of one session
  std::vector<account_status> accounts; ///< what models cost so far
};

/// Returns the table, one line a session, and below a line on agents and, where models cost
/// something, one on that; colour only where asked for.
std::vector<std::string> format_table(const progress_view& view, bool colour);

/// Returns how much longer the run may take [seconds], judged by the share of the query budget
/// that is used up; nothing before there is anything to judge by.
std::optional<double> time_left(const progress_view& view);

/// Returns the line that a session's event is worth when output is not a terminal; nothing for
/// events that people need not see.
std::optional<std::string> format_event(const actors::session_state& state, const actors::session_event& event,
                                        double elapsed);

} // namespace lathe::runtime
