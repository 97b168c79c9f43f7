#pragma once

#include "messages/journal.hpp"
#include "messages/llm.hpp"

#include <caf/expected.hpp>

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

namespace lathe::llm_clients {

/// The kind of journal record that holds a question and its answer.
inline constexpr std::string_view exchange_kind = "llm_exchange";

/// The kind of journal record that holds the most that a call can cost, before it goes out.
inline constexpr std::string_view reserved_kind = "llm_reserved";

/// The kind of journal record that holds money that may have been spent without an answer: the
/// connection broke after the question went out.
inline constexpr std::string_view lost_kind = "llm_lost";

/// The kind of journal record that gives a reservation back: the question costs nothing.
inline constexpr std::string_view released_kind = "llm_released";

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

/// Returns the record of a call that is about to go out, and may cost `worst`. It counts until one
/// of the others says how the question ended.
journal_append reserved_record(const llm_request& request, const std::string& prompt_hash,
                               const spend& worst);

/// Returns the record of an attempt that brought no answer but may have cost `cost`.
journal_append lost_record(const llm_request& request, const std::string& prompt_hash,
                           const spend& cost);

/// Returns the record of a question that is given up at no cost.
journal_append released_record(const llm_request& request, const std::string& prompt_hash);

/// A question, whoever asks it.
using question_key = std::tuple<session_id, request_id, std::string>; // the hash of its prompt

/// A call that went out, as far as the journal knows.
struct open_call {
  payer who;
  spend worst;
  std::string role = {}; ///< of the agent
};

/// A call that went out: limits of a minute may still count it.
struct started_call {
  std::string model;
  double time = 0; ///< [seconds since the epoch]
  spend worst;
};

/// What an earlier run's journal says about its questions.
struct earlier_run {
  std::vector<recorded_answer> answers;
  std::map<payer, spend> spent;           ///< answered or lost
  std::map<question_key, open_call> open; ///< their ends are not known: they may be on the bill
  std::vector<started_call> started;      ///< oldest first
};

/// Whether `read_record` reads records of this kind.
bool is_about_questions(std::string_view kind);

/// Adds what a record says to `run`; records of other kinds are passed over. `text_of` finds a
/// content by its hash.
caf::error read_record(const journal_record& record,
                       const std::function<caf::expected<std::string>(const std::string&)>& text_of,
                       earlier_run& run);

} // namespace lathe::llm_clients
