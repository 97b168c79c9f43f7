#pragma once

#include "messages/llm.hpp"

#include <caf/expected.hpp>

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lathe::llm_clients {

/// One scripted answer. Its file begins with lines such as
///
///     match: layer_norm     the text has to occur in a message to the model; any number of lines
///     not: attempt 2        the text must not occur; any number of lines
///     delay: 0.2            [seconds] until the answer comes
///     tokens: 900 450       what it counts as, in and out
///     finish: length        why it ended; "stop" if left out
///     ---
///
/// and goes on with the answer, verbatim.
struct scripted_answer {
  std::string path; ///< below the folder: "coder/01-fused.md"
  std::vector<std::string> match;
  std::vector<std::string> reject;
  double delay = 0;                                            ///< [seconds]
  std::optional<std::pair<std::int64_t, std::int64_t>> tokens; ///< in, out
  std::string finish = "stop";
  std::string text;
};

/// Reads one scripted answer; a mistake is reported as `path:line: ...`.
caf::expected<scripted_answer> parse_scripted_answer(std::string path, std::string_view text);

/// A folder of scripted answers, one subfolder a role. Pure once it is loaded.
class script {
public:
  /// Reads every `<folder>/<role>/*.md`.
  static caf::expected<script> load(const std::filesystem::path& folder);

  script(std::string folder, std::map<std::string, std::vector<scripted_answer>> answers);

  /// Picks among the role's answers whose lines all hold: the one with most `match` lines, then the
  /// one this session got least often, then by name. The same questions of a session in the same
  /// order get the same answers, whatever other sessions ask.
  caf::expected<scripted_answer> choose(const llm_request& question);

private:
  std::string folder_;
  std::map<std::string, std::vector<scripted_answer>> answers_;     // by role, sorted by path
  std::map<std::pair<session_id, std::string>, std::size_t> given_; // by session and path
};

} // namespace lathe::llm_clients
