#pragma once

#include "messages/journal.hpp"
#include "messages/llm.hpp"

#include <caf/expected.hpp>

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace lathe::llm_clients {

/// The kind of journal record that holds a question and its answer.
inline constexpr std::string_view exchange_kind = "llm_exchange";

/// The kind of journal record that holds money that may have been spent without an answer: the
/// connection broke after the question went out.
inline constexpr std::string_view lost_kind = "llm_lost";

/// An answer that has been paid for, and the question that it belongs to.
struct recorded_answer {
  session_id session;
  request_id request = 0;
  std::string prompt_hash;
  llm_answer answer;
};

/// Returns what the journal keeps as the question: system message, empty line, prompt, and the
/// conversation since.
std::string prompt_text(const llm_request& request);

/// Returns the record of an exchange, with prompt and answer as contents.
journal_append exchange_record(const llm_request& request, const llm_answer& answer);

/// Returns the record of an attempt that brought no answer but may have cost `cost`.
journal_append lost_record(const llm_request& request, const spend& cost);

/// What an earlier run's journal says about its questions.
struct earlier_run {
  std::vector<recorded_answer> answers;
  std::map<session_id, spend> spent; ///< answered or lost, by session
};

/// Adds what a record says to `run`; records of other kinds are passed over. `text_of` finds a
/// content by its hash.
caf::error read_record(const journal_record& record,
                       const std::function<caf::expected<std::string>(const std::string&)>& text_of,
                       earlier_run& run);

} // namespace lathe::llm_clients
