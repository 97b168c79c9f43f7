#pragma once

#include "messages/journal.hpp"
#include "runtime/journal/journal_store.hpp"

#include <caf/expected.hpp>

#include <cstddef>
#include <functional>
#include <optional>
#include <string>

namespace lathe::runtime {

/// Finds a text by its hash; nothing: it is not there.
using text_lookup = std::function<std::optional<std::string>(const std::string& hash)>;

/// Returns a look-up in a journal, which outlives it.
text_lookup texts_of(journal_store& journal);

/// A record, and the texts that it may name.
struct record_version {
  const journal_record& record;
  text_lookup text_of;
};

/// Returns what people call a record: `event 57 (request_issued of task 'mlp')`.
std::string name_of(const journal_record& record);

/// Says how two records differ that have the same place in two journals. Where they name two texts
/// by their hashes, the texts' first lines that differ are told. Pure, but for the look-ups.
std::string difference(const record_version& recorded, const record_version& now);

/// Compares the first `count` events of two journals in everything but their times, and what they
/// have behind them in the second. Returns where they part and how; empty: they do not.
caf::expected<std::string> compare_journals(journal_store& recorded, journal_store& now,
                                            std::size_t count);

} // namespace lathe::runtime
