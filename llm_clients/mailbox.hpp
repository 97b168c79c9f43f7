#pragma once

#include "llm_clients/provider.hpp"
#include "messages/topology.hpp"

#include <map>
#include <optional>
#include <string>
#include <string_view>

// A mailbox as text: a question is a line of OpenAI's Batch format, an answer a line of a batch's
// output. Pure. Lines of answers are written by others and may be anything.

namespace lathe::llm_clients {

/// Returns the name of a question in a mailbox, "SESSION-REQUEST-HASH", at most 64 letters, digits,
/// '_', '.' and '-': the same for the same question, and different for any other.
std::string custom_id(const model_config& model, const llm_request& question);

/// Returns the line of a question, with its line feed.
std::string batch_line(const model_config& model, const llm_request& question);

/// Returns the `custom_id` of a line; empty where it is no JSON object that has one.
std::string custom_id_in(std::string_view line);

/// The answers that have come in for one model.
class mailbox_answers {
public:
  /// What a line is about.
  struct noted {
    std::string custom_id; ///< empty when the line could not be read
    std::string warning;   ///< what somebody should know; mostly empty
  };

  explicit mailbox_answers(model_config model);

  /// Takes in one line. Of several answers to a question the first counts; an error counts until
  /// there is an answer.
  noted add(std::string_view line);

  /// Returns the answer to a question, or its refusal. Nothing while there is no line for it, or an
  /// error that somebody can mend: a limit, a wrong key, a batch that has expired.
  std::optional<reply> find(const std::string& custom_id, const llm_request& question) const;

private:
  struct entry {
    std::string body;              // of the response, when it is an answer
    std::optional<failure> failed; // else
  };

  model_config model_;
  std::map<std::string, entry> entries_; // by custom_id
};

} // namespace lathe::llm_clients
