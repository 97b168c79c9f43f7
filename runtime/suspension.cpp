#include "runtime/suspension.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace lathe::runtime {

std::filesystem::path mailbox_folder(const model_config& model, const run_paths& run) {
  return model.folder.empty() ? run.mailbox(model.name) : std::filesystem::path{model.folder};
}

std::string describe_suspension(const std::vector<session_result>& results, const topology& plan,
                                const run_paths& run) {
  std::map<std::string, std::int32_t> waiting;
  for (auto& x : results)
    for (auto& [model, questions] : x.status.waiting)
      waiting[model] += questions;
  std::vector<std::string> parts;
  for (auto& [name, questions] : waiting) {
    auto* model = plan.model(name);
    auto folder = model == nullptr ? run.mailbox(name) : mailbox_folder(*model, run);
    parts.push_back(fmt::format("{} question{} in {}, whose answers belong into {}", questions,
                                questions == 1 ? "" : "s", (folder / "requests.jsonl").string(),
                                (folder / "responses.jsonl").string()));
  }
  auto is_suspended = [](const session_result& x) { return x.status.state == "suspended"; };
  if (std::none_of(results.begin(), results.end(), is_suspended))
    return {};
  if (parts.empty()) // the agents that asked have another model by now
    parts.emplace_back("answers in mailboxes");
  return fmt::format("suspended: it waits for {}; go on with: lathe run --resume {}",
                     fmt::join(parts, ", and for "), run.root.string());
}

} // namespace lathe::runtime
