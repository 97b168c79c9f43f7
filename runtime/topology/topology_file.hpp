#pragma once

#include "messages/topology.hpp"
#include "runtime/topology/diagnostic.hpp"

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace lathe::runtime {

/// Returns the value of an environment variable, or nothing when it is not set.
using environment_lookup = std::function<std::optional<std::string>(const std::string& name)>;

/// Looks a variable up in this process's environment.
std::optional<std::string> process_environment(const std::string& name);

/// What a reading depends on besides the file.
struct read_options {
  environment_lookup environment = process_environment;

  /// "scripted": every model is answered from the folder `demo`, so no key is needed. "replay":
  /// somebody else answers them, and none is needed either. Empty: as the file says.
  std::string llm_override;

  /// Lathe's own `configs`: prompts and answers are looked for here last.
  std::filesystem::path configs;

  /// The recipe passes that exist: `all` means these. Empty: names are not checked, and `all`
  /// stays.
  std::vector<std::string> passes;

  /// Keys of `evaluator` that were given elsewhere, which count more than the file.
  std::map<std::string, std::string> evaluator;
};

/// A topology, or what is wrong with it.
struct reading {
  topology value;                   ///< meaningful only when `ok()`
  std::vector<diagnostic> mistakes; ///< all of them, by line

  /// YAML that says the same in one piece: `extends` followed, prompts included, variables left as
  /// they were written, so that it holds no secret. Empty unless `ok()`.
  std::string text;

  bool ok() const {
    return mistakes.empty();
  }
};

/// Reads and checks a topology file. Never throws.
reading read_topology(const std::filesystem::path& file, const read_options& options = {});

/// Returns the models that agents ask, and those that stand in for them.
std::set<std::string> asked_models(const topology& x);

/// Returns a model and those that stand in for it.
std::set<std::string> models_behind(const topology& x, const std::string& first);

/// Reads and checks a topology that is not in a file of its own, such as `reading::text`. `name`
/// stands for the file in messages, and relative paths start at `folder`.
reading read_topology_text(const std::string& text, const std::string& name,
                           const std::filesystem::path& folder, const read_options& options = {});

} // namespace lathe::runtime
