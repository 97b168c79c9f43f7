#pragma once

#include "llm_clients/growing_file.hpp"
#include "llm_clients/mailbox.hpp"
#include "messages/unique_fd.hpp"

#include <caf/expected.hpp>

#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace lathe::llm_clients {

/// A mailbox on disk: `requests.jsonl`, to which one process at a time appends questions, and any
/// number of files `responses*.jsonl`, to which somebody else appends answers. All calls block.
class mailbox_folder {
public:
  /// Opens the mailbox in `model.folder`, or makes it. What a crash left of a last question is cut
  /// off. Fails with `environment_error`, or with `user_error` where another process has it.
  static caf::expected<std::unique_ptr<mailbox_folder>> open(const model_config& model);

  /// Returns a reply to each question: what has come in for it, or a `wait` failure. Questions that
  /// are new are on the disk by then; a `retry` failure says that they could not be written.
  std::vector<reply> ask(const std::vector<llm_request>& questions);

private:
  mailbox_folder(const model_config& model, unique_fd requests);

  caf::error take_over();
  void look();
  bool take(const std::filesystem::path& file, const growing_file::line& line);
  caf::error append(std::string_view lines);
  caf::error failure_to_write(std::string_view why) const;

  model_config model_;
  std::filesystem::path folder_;
  std::filesystem::path requests_;
  unique_fd descriptor_;          // of requests_, locked
  bool usable_ = true;            // false: half a line could not be cut off
  std::set<std::string> posted_;  // custom_ids in requests_
  std::set<std::string> unknown_; // custom_ids of answers that nobody asked for
  mailbox_answers answers_;
  std::map<std::filesystem::path, growing_file> responses_;
};

} // namespace lathe::llm_clients
