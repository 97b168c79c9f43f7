#include "runtime/topology/topology_file.hpp"

#include "runtime/topology/check.hpp"
#include "runtime/topology/source_files.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>

namespace lathe::runtime {

namespace {

namespace fs = std::filesystem;

constexpr std::int64_t newest_version = 1;

void read_version(map_reader& root) {
  std::int64_t version = newest_version;
  if (!root.find("version"))
    root.refuse("version", "is missing: add 'version: 1'");
  else if (root.read("version", version, {1, 1e9}) && version > newest_version)
    root.refuse("version", fmt::format("{} is newer than this Lathe, which reads version {}",
                                       version, newest_version));
}

// The name becomes part of folder names.
void read_name(map_reader& root, const fs::path& file, std::string& x) {
  auto fits = [](unsigned char c) { return std::isalnum(c) || c == '-' || c == '_' || c == '.'; };
  x = file.stem().string();
  if (root.read("name", x) && (x.front() == '.' || !std::all_of(x.begin(), x.end(), fits)))
    root.refuse("name", "may hold letters, digits, '-', '_' and '.', and no '.' at its start");
}

raw_topology read_blocks(const yaml_node& tree, const block_context& context) {
  raw_topology x;
  auto root = map_reader{tree, "", context.mistakes};
  read_version(root);
  read_name(root, context.main_file, x.value.name);
  read_models(root.inner("models"), x, context);
  read_agents(root.inner("agents"), x, context);
  read_routes(root.find("routes"), place_of(tree, {"routes"}), x, context);
  read_search(root.inner("search"), x.value.search);
  read_evaluator(root.inner("evaluator"), x.value.evaluator);
  read_budget(root.inner("budget"), x.value.budget);
  root.finish();
  return x;
}

// Writes what the reading found elsewhere into the tree, so that the tree needs nothing else.
std::string standalone_text(yaml_node tree, const topology& x) {
  tree.set("name", x.name);
  if (auto models = tree.find("models"))
    for (auto& [name, at, model] : models->value.entries) {
      auto config = x.model(name);
      for (auto& [key, path] :
           {std::pair{"api_key_file", config->api_key_file}, std::pair{"ca_file", config->ca_file}})
        if (!path.empty())
          model.set(key, path);
      if (config->provider == provider_kind::mailbox && !config->folder.empty())
        model.set("folder", config->folder);
      if (config->provider != provider_kind::scripted)
        continue;
      model.set("provider", "scripted");
      model.set("answers", config->answers);
      for (auto key :
           {"api", "api_key", "api_key_file", "ca_file", "base_url", "folder", "price", "wait"})
        model.remove(key);
    }
  for (auto& [name, at, agent] : tree.find("agents")->value.entries) {
    if (agent.find("prompt")) {
      agent.set("prompt_text", x.agent(name)->prompt);
      agent.remove("prompt");
    }
    if (agent.find("folder")) {
      agent.set("pass_texts", x.agent(name)->own_passes);
      agent.remove("folder");
    }
  }
  return render_yaml(tree);
}

reading read_tree(std::optional<yaml_node> tree, const block_context& context) {
  reading result;
  if (tree) {
    const auto& given = context.options.evaluator;
    auto block = tree->find("evaluator");
    if (!given.empty() && (block == nullptr || block->value.type == yaml_node::kind::null))
      tree->set("evaluator", given);
    else
      for (auto& [key, value] : given)
        block->value.set(key, value);
    auto raw = read_blocks(*tree, context);
    connect_models(*tree, raw.value, context);
    check(raw, *tree, context.mistakes);
    result.value = std::move(raw.value);
  }
  result.mistakes = context.mistakes.sorted(context.main_file);
  if (result.ok())
    result.text = standalone_text(*tree, result.value);
  return result;
}

} // namespace

std::optional<std::string> process_environment(const std::string& name) {
  auto value = std::getenv(name.c_str());
  return value ? std::optional<std::string>{value} : std::nullopt;
}

reading read_topology(const fs::path& file, const read_options& options) {
  mistake_list mistakes;
  auto context = block_context{options, file.string(), file.parent_path(), mistakes};
  return read_tree(read_with_bases(file, mistakes), context);
}

reading read_topology_text(const std::string& text, const std::string& name, const fs::path& folder,
                           const read_options& options) {
  mistake_list mistakes;
  auto context = block_context{options, name, folder, mistakes};
  return read_tree(read_with_bases(text, name, folder, mistakes), context);
}

} // namespace lathe::runtime
