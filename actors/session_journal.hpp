#pragma once

#include "actors/session_event.hpp"
#include "messages/journal.hpp"

#include <caf/expected.hpp>

namespace lathe::actors {

/// Returns the event as the journal keeps it; the journal gives number and time.
journal_record to_record(const session_id& session, const session_event& event);

/// Reads an event back. Fails with `journal_failed` for a kind that this version does not know, or
/// a payload that does not parse.
caf::expected<session_event> from_record(const journal_record& record);

} // namespace lathe::actors
