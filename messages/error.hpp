#pragma once

#include "messages/types.hpp"

#include <caf/error.hpp>

#include <array>
#include <cstdint>
#include <string>

namespace lathe {

/// Why something could not be done. The error's message says what, where and what to do.
enum class errc : std::uint8_t {
  none = 0,
  /// A file, option or key that the user gave is wrong.
  user_error,
  /// The machine lacks something: a package, disk space, a permission.
  environment_error,
  /// The task's own code cannot be used.
  bad_task,
  /// An LLM's answer could not be used: no code, no ideas, cut off.
  bad_answer,
  /// The receiver's queue is full; try again later.
  overloaded,
  /// The budget does not allow another query.
  budget_exhausted,
  /// No answer came in time.
  timed_out,
  /// The request killed its agent too often and will not be given out again.
  dead_letter,
  /// A provider refused in a way that no retry mends: wrong key, unknown model.
  provider_refused,
  /// A provider fell silent, or answered nonsense, and the retries are used up.
  provider_failed,
  /// The evaluator could not judge; says nothing about the candidate.
  evaluator_failed,
  /// The journal could not be written or read.
  journal_failed,
  /// The work was cancelled because the run stops.
  cancelled,
  /// A provider could never be reached, and the retries are used up.
  provider_unreachable,
  /// A GPU did not recover from what ran on it, and is out of use.
  device_lost,
  /// The question lies in a mailbox and may be answered any time: ask again.
  awaits_mailbox,
};

template <>
struct enum_names<errc> {
  static constexpr std::array<std::string_view, 17> value = {
    "none",           "user_error",       "environment_error",    "bad_task",
    "bad_answer",     "overloaded",       "budget_exhausted",     "timed_out",
    "dead_letter",    "provider_refused", "provider_failed",      "evaluator_failed",
    "journal_failed", "cancelled",        "provider_unreachable", "device_lost",
    "awaits_mailbox"};
};

/// Makes an error with a sentence for people.
caf::error make_error(errc code, std::string message);

/// Returns the sentence of an error made by `make_error`, or CAF's rendering of any other.
std::string describe(const caf::error& x);

} // namespace lathe
