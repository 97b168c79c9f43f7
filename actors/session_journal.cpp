#include "actors/session_journal.hpp"

#include "messages/error.hpp"
#include "messages/event_json.hpp"

#include <fmt/format.h>

#include <type_traits>

namespace lathe::actors {

namespace {

// Tries the alternatives of `session_event` from `Index` on.
template <std::size_t Index = 0>
caf::expected<session_event> read_as(const journal_record& record) {
  if constexpr (Index == std::variant_size_v<session_event>) {
    return make_error(errc::journal_failed,
                      fmt::format("event {} is of kind '{}', which this version does not know",
                                  record.seq, record.kind));
  } else {
    using event = std::variant_alternative_t<Index, session_event>;
    if (record.kind != event::kind)
      return read_as<Index + 1>(record);
    auto result = from_json<event>(record.payload);
    if (!result)
      return make_error(errc::journal_failed, fmt::format("event {} ({}) does not parse: {}",
                                                          record.seq, record.kind,
                                                          describe(result.error())));
    return session_event{std::move(*result)};
  }
}

} // namespace

journal_record to_record(const session_id& session, const session_event& event) {
  journal_record result;
  result.session = session;
  std::visit(
    [&](const auto& x) {
      result.kind = std::decay_t<decltype(x)>::kind;
      result.payload = to_json(x);
    },
    event);
  return result;
}

caf::expected<session_event> from_record(const journal_record& record) {
  return read_as<>(record);
}

} // namespace lathe::actors
