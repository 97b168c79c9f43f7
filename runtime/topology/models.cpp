#include "runtime/topology/blocks.hpp"

#include "llm_clients/url.hpp"
#include "messages/error.hpp"
#include "runtime/topology/key_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <deque>
#include <limits>

namespace lathe::runtime {

namespace {

// Where a provider is, and what people call its key.
struct home {
  std::string_view url;
  std::string_view key;
};

home home_of(provider_kind provider) {
  switch (provider) {
    case provider_kind::anthropic:
      return {"https://api.anthropic.com/v1", "ANTHROPIC_API_KEY"};
    case provider_kind::gemini:
      return {"https://generativelanguage.googleapis.com/v1beta", "GEMINI_API_KEY"};
    default:
      return {"https://api.openai.com/v1", "OPENAI_API_KEY"};
  }
}

// A text with `${NAME}` in it, taken apart.
struct variable {
  std::string before;
  std::string name;
  std::string after;
};

bool is_name(std::string_view x) {
  auto fits = [](unsigned char c) { return std::isalnum(c) || c == '_'; };
  return !x.empty() && !std::isdigit(static_cast<unsigned char>(x[0]))
         && std::all_of(x.begin(), x.end(), fits);
}

std::optional<variable> find_variable(const std::string& text) {
  auto begin = text.find("${");
  auto end = text.find('}', begin);
  if (begin == std::string::npos || end == std::string::npos)
    return std::nullopt;
  auto result =
    variable{text.substr(0, begin), text.substr(begin + 2, end - begin - 2), text.substr(end + 1)};
  return is_name(result.name) ? std::optional{result} : std::nullopt;
}

bool is_url(std::string_view text) {
  return static_cast<bool>(llm_clients::parse_url(text));
}

constexpr auto url_rule =
  "must be an address such as https://host:8000/v1, without a user, a password or a query";

// A path that still holds when the working folder is another one.
std::string from_everywhere(const std::filesystem::path& path) {
  std::error_code error;
  auto result = std::filesystem::absolute(path, error);
  return (error ? path : result).lexically_normal().string();
}

// -- reading -------------------------------------------------------------------------

void read_key(map_reader& reader, model_config& x) {
  auto node = reader.find("api_key");
  if (!node)
    return;
  x.api_key = node->text;
  auto found = find_variable(node->text);
  if (!found || !found->before.empty() || !found->after.empty())
    reader.refuse("api_key", "must name an environment variable, such as ${OPENAI_API_KEY}: keys "
                             "do not belong in topologies; one in a file of its own is named by "
                             "api_key_file");
}

std::string with_home(const std::string& path, const block_context& context) {
  auto home = context.options.environment("HOME");
  return path.starts_with("~/") && home ? *home + path.substr(1) : path;
}

void read_key_path(map_reader& reader, model_config& x, const block_context& context) {
  std::string name;
  if (!reader.read("api_key_file", name))
    return;
  if (reader.find("api_key"))
    return reader.refuse("api_key_file", "stands beside an api_key: keep one of them ('api_key:' "
                                         "without a value takes an inherited one away)");
  // Whether it is there matters only where the model is asked.
  auto at = reader.find("api_key_file")->at;
  auto path = std::filesystem::path{with_home(name, context)};
  x.api_key_file = from_everywhere(
    context.find_path(at, path).value_or(std::filesystem::path{at.file}.parent_path() / path));
}

void read_ca(map_reader& reader, model_config& x, const block_context& context) {
  std::string name;
  if (!reader.read("ca_file", name))
    return;
  auto at = reader.find("ca_file")->at;
  if (auto path = context.find_path(at, with_home(name, context)))
    x.ca_file = from_everywhere(*path);
  else
    reader.refuse("ca_file", fmt::format("names a file that is not there: '{}' in {}", name,
                                         context.searched(at)));
}

void read_url(map_reader& reader, model_config& x) {
  auto node = reader.find("base_url");
  if (!node)
    return;
  x.base_url = node->text;
  auto has_user = node->text.find('@') != std::string::npos;
  if (has_user || (!find_variable(node->text) && !is_url(node->text)))
    reader.refuse("base_url", url_rule);
}

void read_answers(map_reader& reader, model_config& x, const block_context& context) {
  std::string name;
  if (!reader.read("answers", name))
    return;
  auto at = reader.find("answers")->at;
  if (auto path = context.find_folder(at, name))
    x.answers = from_everywhere(*path);
  else
    reader.refuse("answers", fmt::format("names a folder that is not there: '{}' in {}", name,
                                         context.searched(at)));
}

// What goes over a network in its own time. A mailbox has none of it.
constexpr std::array served_keys{
  "api_key", "api_key_file", "ca_file",      "base_url",        "answers",           "stream",
  "limits",  "timeout",      "idle_timeout", "connect_timeout", "first_byte_timeout"};

void read_mailbox(map_reader& reader, model_config& x, const block_context& context) {
  std::string name;
  reader.read("folder", name);
  reader.read_duration("wait", x.wait, {0, 365 * 86'400});
  if (x.provider != provider_kind::mailbox) {
    for (auto key : {"folder", "wait"})
      if (reader.find(key))
        reader.refuse(key, "is a key that only 'provider: mailbox' has");
    return;
  }
  for (auto key : served_keys)
    if (reader.find(key))
      reader.refuse(key, "means nothing to a mailbox: whoever answers sees to it");
  x.stream = false;
  x.in_flight = std::numeric_limits<std::int32_t>::max();
  if (name.empty())
    return;
  auto at = reader.find("folder")->at;
  auto here = at.file == context.main_file ? context.main_folder
                                           : std::filesystem::path{at.file}.parent_path();
  x.folder = from_everywhere(here / name);
  if (x.folder.size() > 1 && x.folder.ends_with('/'))
    x.folder.pop_back(); // one folder has one name
}

void read_numbers(map_reader& reader, model_config& x) {
  auto limits = reader.inner("limits");
  limits.read("in_flight", x.in_flight, {1, 1e5});
  limits.read("requests_per_minute", x.requests_per_minute, {1, 1e6});
  limits.read("tokens_per_minute", x.tokens_per_minute, {1, 1e12});
  limits.read("input_tokens_per_minute", x.input_tokens_per_minute, {1, 1e12});
  limits.read("output_tokens_per_minute", x.output_tokens_per_minute, {1, 1e12});
  limits.finish();
  reader.read_duration("timeout", x.timeout, {1, 86'400});
  reader.read_duration("connect_timeout", x.connect_timeout, {1, 86'400});
  reader.read_duration("first_byte_timeout", x.first_byte_timeout, {1, 86'400});
  reader.read_duration("idle_timeout", x.idle_timeout, {1, 86'400});
  reader.read("stream", x.stream);
  reader.read("fallback", x.fallback);
}

void require_keys(map_reader& reader, const model_config& x) {
  auto missing = [&](const char* key) { return !reader.find(key); };
  if (x.provider == provider_kind::scripted && missing("answers"))
    reader.refuse("answers", "is missing: a scripted model answers from a folder");
  if (x.provider == provider_kind::scripted)
    return;
  if (missing("model"))
    reader.refuse("model", "is missing: say which model the server shall use");
  if (x.provider == provider_kind::mailbox)
    return;
  if (missing("base_url") && missing("api_key") && missing("api_key_file"))
    reader.refuse("api_key", fmt::format("is missing: add 'api_key: ${{{}}}', an api_key_file, or "
                                         "the base_url of a server that needs none",
                                         home_of(x.provider).key));
}

void read_model(const std::string& name, map_reader reader, raw_topology& x,
                const block_context& context) {
  model_config model;
  model.name = name;
  std::string provider;
  auto known = reader.read_word(
    "provider", provider, {"openai", "anthropic", "gemini", "scripted", "mailbox"}, {"replay"},
    "any server that speaks OpenAI's chat completions works with "
    "'provider: openai' and its base_url");
  if (known)
    from_string(std::string_view{provider}, model.provider);
  else if (!reader.find("provider"))
    reader.refuse("provider", "is missing: openai, anthropic, gemini, scripted or mailbox");
  reader.read("model", model.model);
  if (reader.read_word("api", model.api, {"chat", "responses"})
      && model.provider != provider_kind::openai && model.provider != provider_kind::mailbox)
    reader.refuse("api", "is a choice that only 'provider: openai' and 'mailbox' have");
  read_key(reader, model);
  read_key_path(reader, model, context);
  read_ca(reader, model, context);
  read_url(reader, model);
  read_answers(reader, model, context);
  read_sampling(reader.inner("sampling"), model);
  read_numbers(reader, model);
  read_mailbox(reader, model, context);
  std::string address{home_of(model.provider).url};
  auto is_served =
    model.provider != provider_kind::scripted && model.provider != provider_kind::mailbox;
  if (is_served && model.base_url.empty())
    model.base_url = address;
  if (!model.base_url.empty())
    address = model.base_url;
  if (auto found = find_variable(address))
    address = found->before + context.options.environment(found->name).value_or("") + found->after;
  read_capabilities(reader.inner("capabilities"), address, model, context);
  read_own_budget(reader.inner("budget"), model.budget, model.run_budget);
  if (read_price(reader, address, model, context) || model.provider == provider_kind::scripted)
    x.priced.insert(name);
  if (known)
    require_keys(reader, model);
  reader.finish();
  x.value.models.push_back(std::move(model));
}

// -- connecting ------------------------------------------------------------------------

// Returns whether `text` is whole now.
bool fill_in(std::string& text, const std::string& model, const place& at,
             const block_context& context) {
  while (auto found = find_variable(text)) {
    auto value = context.options.environment(found->name);
    if (!value || value->empty()) {
      context.mistakes.add_outside(
        at, fmt::format("model '{}' needs {}, which is not set", model, found->name),
        "to try this topology without a key: --llm scripted");
      return false;
    }
    // A line break would end the HTTP header; a `${` would be filled in again, and again.
    auto odd = [](unsigned char c) { return c <= ' ' || c >= 0x7f || c == '$'; };
    if (std::any_of(value->begin(), value->end(), odd)) {
      context.mistakes.add_outside(at,
                                   fmt::format("model '{}' needs {}, which holds a blank, a line "
                                               "break or a sign that no key has",
                                               model, found->name),
                                   {});
      return false;
    }
    text = found->before + *value + found->after;
  }
  return true;
}

void read_key_from_file(model_config& x, const place& at, const block_context& context) {
  if (auto key = read_key_file(x.api_key_file))
    x.api_key = std::move(*key);
  else
    context.mistakes.add_outside(at, fmt::format("model '{}': {}", x.name, describe(key.error())),
                                 {});
}

void connect(const yaml_node& root, model_config& x, const block_context& context) {
  auto url_at = place_of(root, {"models", x.name, "base_url"});
  fill_in(x.api_key, x.name, place_of(root, {"models", x.name, "api_key"}), context);
  if (!x.api_key_file.empty())
    read_key_from_file(x, place_of(root, {"models", x.name, "api_key_file"}), context);
  auto was_variable = find_variable(x.base_url).has_value();
  if (fill_in(x.base_url, x.name, url_at, context) && was_variable && !is_url(x.base_url))
    context.mistakes.add(url_at, fmt::format("models.{}.base_url {}", x.name, url_rule));
  while (x.base_url.ends_with('/'))
    x.base_url.pop_back();
}

// Answers `x` from the demo's folder. Prices go: nothing is paid.
void script(const std::string& answers, model_config& x) {
  x.provider = provider_kind::scripted;
  x.answers = answers;
  x.api_key.clear();
  x.api_key_file.clear();
  x.ca_file.clear();
  x.base_url.clear();
  x.folder.clear();
  x.price = x.long_price = {};
}

} // namespace

void read_models(map_reader models, raw_topology& x, const block_context& context) {
  for (const auto& entry : models.entries())
    read_model(entry.key, models.inner(entry), x, context);
}

std::set<std::string> models_behind(const topology& x, const std::string& first) {
  std::set<std::string> result;
  for (std::deque<std::string> open{first}; !open.empty(); open.pop_front()) {
    auto model = x.model(open.front());
    if (model && result.insert(model->name).second)
      open.insert(open.end(), model->fallback.begin(), model->fallback.end());
  }
  return result;
}

std::set<std::string> asked_models(const topology& x) {
  std::set<std::string> result;
  for (const auto& agent : x.agents)
    result.merge(models_behind(x, agent.model));
  return result;
}

void connect_models(const yaml_node& root, topology& x, const block_context& context) {
  const auto& choice = context.options.llm_override;
  auto at = place{context.main_file, 0, 0};
  if (choice == "replay")
    return;
  if (!choice.empty() && choice != "scripted") {
    context.mistakes.add_outside(at, fmt::format("--llm takes 'scripted', not '{}'", choice), {});
    return;
  }
  auto asked = asked_models(x);
  auto answers = context.find_path(at, "demo");
  for (auto& model : x.models) {
    if (model.provider == provider_kind::scripted || !asked.contains(model.name))
      continue;
    if (choice.empty())
      connect(root, model, context);
    else if (answers)
      script(from_everywhere(*answers), model);
    else
      context.mistakes.add_outside(
        at, fmt::format("--llm scripted needs the folder 'demo' in {}", context.searched(at)), {});
  }
}

} // namespace lathe::runtime
