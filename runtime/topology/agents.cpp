#include "runtime/topology/blocks.hpp"
#include "runtime/topology/source_files.hpp"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <array>
#include <cctype>

namespace lathe::runtime {

namespace {

namespace fs = std::filesystem;

constexpr auto needs_model = std::array{role::planner, role::coder, role::fixer};

// A recipe hands what it is asked on to the evaluator, which has cores for some of it at a time: it is
// not what others should wait for, and how long they wait is not its fault.
constexpr std::int32_t recipe_instances = 64;
constexpr double recipe_timeout = 6 * 3600; // [seconds]

// Keys that only one role has.
struct own_key {
  std::string_view name;
  lathe::role role;
};

constexpr auto own_keys =
  std::array{own_key{"ideas", role::planner}, own_key{"attempts", role::fixer},
             own_key{"passes", role::recipe}, own_key{"drafts", role::recipe},
             own_key{"folder", role::recipe}, own_key{"pass_texts", role::recipe}};

std::vector<std::string> role_names() {
  const auto& names = enum_names<role>::value;
  return {names.begin(), names.end()};
}

bool is_agent_name(std::string_view x) {
  auto fits = [](unsigned char c) { return std::isalnum(c) || c == '_' || c == '-'; };
  return x.size() <= 40 && std::isalpha(static_cast<unsigned char>(x.empty() ? '0' : x[0]))
         && std::all_of(x.begin(), x.end(), fits);
}

void check_name(const std::string& name, const place& at, const block_context& context) {
  if (name == task_source || name == search_node || name == evaluator_node)
    context.mistakes.add(at,
                         fmt::format("an agent cannot be called '{}': that name is taken", name));
  else if (!is_agent_name(name))
    context.mistakes.add(at, fmt::format("'{}' is no name for an agent: use up to 40 letters, "
                                         "digits, '-' and '_', a letter first",
                                         name));
}

bool read_role(map_reader& reader, role& x) {
  std::string word;
  if (reader.read_word("role", word, role_names()))
    return from_string(std::string_view{word}, x);
  if (!reader.find("role"))
    reader.refuse("role", "is missing: " + either(role_names()));
  return false;
}

// The template's text, from its file or, in a topology that stands alone, from the topology itself.
void read_prompt(map_reader& reader, agent_config& x, const block_context& context) {
  auto inline_text = reader.find("prompt_text");
  std::string name;
  if (reader.read("prompt", name)) {
    auto at = reader.find("prompt")->at;
    auto path = context.find_path(at, name);
    if (!path) {
      reader.refuse("prompt", fmt::format("names a file that is not there: '{}' in {}", name,
                                          context.searched(at)));
      return;
    }
    auto content = read_text_file(*path);
    if (auto why = std::get_if<unreadable>(&content))
      reader.refuse("prompt",
                    fmt::format("cannot be read from '{}': {}", path->string(), why->why));
    else if (x.prompt = std::get<std::string>(content); x.prompt.empty())
      reader.refuse("prompt", fmt::format("is an empty file: '{}'", path->string()));
    if (inline_text)
      reader.refuse("prompt_text", "cannot stand beside prompt: keep one of the two");
  } else if (inline_text) {
    x.prompt = inline_text->text;
    if (x.prompt.empty())
      reader.refuse("prompt_text", "must be a text");
  }
}

// Texts of passes: those in the user's folder, or as a run's own topology has them.
void read_own_passes(map_reader& reader, agent_config& x, const block_context& context) {
  if (auto texts = reader.find("pass_texts")) {
    if (texts->type != yaml_node::kind::map)
      reader.refuse("pass_texts", "must be a map of texts");
    for (auto& [name, at, text] : texts->entries)
      x.own_passes[name] = text.text;
  }
  std::string name;
  if (!reader.read("folder", name))
    return;
  auto at = reader.find("folder")->at;
  auto folder = context.find_folder(at, name);
  if (!folder) {
    reader.refuse("folder", fmt::format("names no folder: '{}' in {}", name, context.searched(at)));
    return;
  }
  auto is_empty = true;
  std::error_code ignored;
  for (auto& entry : fs::directory_iterator{*folder, ignored}) {
    auto file = entry.path().filename().string();
    if (entry.path().extension() != ".py" || file.starts_with('.')
        || !entry.is_regular_file(ignored))
      continue;
    is_empty = false;
    auto content = read_text_file(entry.path());
    auto refuse = [&](const std::string& why) {
      reader.refuse("folder", fmt::format("holds '{}', which cannot be read: {}", file, why));
    };
    if (auto why = std::get_if<unreadable>(&content))
      refuse(why->why);
    else if (auto& text = std::get<std::string>(content); !simdjson::validate_utf8(text))
      refuse("it is not UTF-8");
    else
      x.own_passes[entry.path().stem().string()] = std::move(text);
  }
  if (is_empty)
    reader.refuse("folder",
                  fmt::format("holds no pass, which is a Python file: '{}'", folder->string()));
}

void read_passes(map_reader& reader, agent_config& x, const block_context& context) {
  read_own_passes(reader, x, context);
  auto known = context.options.passes;
  for (auto& [name, ignored] : x.own_passes)
    if (!known.empty() && std::find(known.begin(), known.end(), name) == known.end())
      known.push_back(name);
  auto node = reader.find("passes");
  if (!node || (node->type == yaml_node::kind::scalar && node->text == "all"))
    x.passes = known.empty() ? std::vector<std::string>{"all"} : known;
  else if (known.empty())
    reader.read("passes", x.passes);
  else
    reader.read_words("passes", x.passes, known);
}

void read_own_keys(map_reader& reader, agent_config& x, const block_context& context) {
  for (const auto& key : own_keys)
    if (key.role != x.role && reader.find(key.name))
      reader.refuse(key.name, fmt::format("is only for a {}", lathe::to_string(key.role)));
  auto writes_code = x.role == role::coder || x.role == role::fixer;
  for (auto [key, value] : {std::pair{"stop_after_code", &x.stop_after_code},
                            std::pair{"continue_cut", &x.continue_cut}})
    if (writes_code)
      reader.read(key, *value);
    else if (reader.find(key))
      reader.refuse(key, "is only for a coder or a fixer");
  if (x.role == role::planner)
    reader.read("ideas", x.ideas, {1, 100});
  if (x.role == role::fixer)
    reader.read("attempts", x.attempts, {1, 100});
  if (x.role == role::recipe) {
    read_passes(reader, x, context);
    reader.read("drafts", x.drafts, {1, 1000});
  }
}

void read_asking(map_reader& reader, agent_config& x, const block_context& context) {
  if (x.role == role::recipe) {
    for (auto key : {"model", "prompt", "prompt_text"})
      if (reader.find(key))
        reader.refuse(key, "is not for a recipe: it works without an LLM");
    return;
  }
  reader.read("model", x.model);
  read_prompt(reader, x, context);
  auto must_ask = std::find(needs_model.begin(), needs_model.end(), x.role) != needs_model.end();
  auto role_name = lathe::to_string(x.role);
  if (must_ask && !reader.find("model"))
    reader.refuse("model", fmt::format("is missing: a {} asks a model", role_name));
  if ((must_ask || reader.find("model")) && !reader.find("prompt") && !reader.find("prompt_text"))
    reader.refuse("prompt", fmt::format("is missing: add 'prompt: prompts/{}.md'", role_name));
}

// Returns whether the agent's role is known, without which nothing can be said about its routes.
bool read_agent(map_reader reader, agent_config& x, const block_context& context) {
  auto known = read_role(reader, x.role);
  if (x.role == role::recipe) {
    x.instances = recipe_instances;
    x.timeout = recipe_timeout;
  }
  reader.read("instances", x.instances, {1, 10'000});
  reader.read_duration("timeout", x.timeout, {1, 86'400});
  for (auto key : {"budget", "priority"})
    if (x.role == role::recipe && reader.find(key))
      reader.refuse(key, "is not for a recipe: it works without an LLM");
  read_own_budget(reader.inner("budget"), x.budget, x.run_budget);
  reader.read("priority", x.priority, {-100, 100});
  if (known) {
    read_own_keys(reader, x, context);
    read_asking(reader, x, context);
  } else {
    for (auto key : {"model", "prompt", "prompt_text", "ideas", "attempts", "passes", "drafts",
                     "folder", "pass_texts", "stop_after_code", "continue_cut"})
      reader.find(key); // known words, whatever the role
  }
  reader.finish();
  return known;
}

} // namespace

void read_agents(map_reader agents, raw_topology& x, const block_context& context) {
  for (const auto& entry : agents.entries()) {
    check_name(entry.key, entry.at, context);
    agent_config agent;
    agent.name = entry.key;
    x.complete &= read_agent(agents.inner(entry), agent, context);
    x.value.agents.push_back(std::move(agent));
  }
  if (agents.entries().empty())
    context.mistakes.add(agents.at(), "there are no agents: add 'agents:' with at least one");
}

} // namespace lathe::runtime
