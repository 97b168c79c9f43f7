#include "runtime/topology/blocks.hpp"

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
  auto clean = [](unsigned char c) { return c > ' ' && c < 0x7f && c != '@'; };
  for (std::string_view scheme : {"https://", "http://"}) {
    if (!text.starts_with(scheme))
      continue;
    auto host = text.substr(scheme.size());
    return !host.empty() && host[0] != '/' && std::all_of(host.begin(), host.end(), clean);
  }
  return false;
}

constexpr auto url_rule = "must be an address such as https://host/v1, without a user or password";

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
    reader.refuse("api_key", "must name an environment variable, such as ${OPENAI_API_KEY}: "
                             "keys do not belong in files");
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
constexpr std::array served_keys{"api_key", "base_url", "answers",     "stream",
                                 "limits",  "timeout",  "idle_timeout"};

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

bool read_price(map_reader price, model_config& x) {
  auto given = price.read_money("input", x.input_price);
  x.cached_input_price = x.input_price;
  price.read_money("cached_input", x.cached_input_price);
  price.read_money("cache_write", x.cache_write_price);
  given &= price.read_money("output", x.output_price);
  price.finish();
  return given;
}

void read_numbers(map_reader& reader, model_config& x) {
  auto sampling = reader.inner("sampling");
  double temperature = 0;
  if (sampling.read("temperature", temperature, {0, 2}))
    x.temperature = temperature;
  sampling.read("max_output_tokens", x.max_output_tokens, {1, 1e7});
  sampling.read("reasoning_effort", x.reasoning_effort);
  if (sampling.read("thinking_tokens", x.thinking_tokens, {1, 1e7})
      && x.thinking_tokens >= x.max_output_tokens)
    sampling.refuse("thinking_tokens", "must be less than max_output_tokens, of which they are a "
                                       "part");
  sampling.finish();
  auto limits = reader.inner("limits");
  limits.read("in_flight", x.in_flight, {1, 1e5});
  limits.read("requests_per_minute", x.requests_per_minute, {1, 1e6});
  limits.read("tokens_per_minute", x.tokens_per_minute, {1, 1e12});
  limits.finish();
  reader.read_duration("timeout", x.timeout, {1, 86'400});
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
  if (missing("base_url") && missing("api_key"))
    reader.refuse("api_key", fmt::format("is missing: add 'api_key: ${{{}}}', or the base_url of a "
                                         "server that needs none",
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
  read_url(reader, model);
  read_answers(reader, model, context);
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
  if (read_price(reader.inner("price"), model) || model.provider == provider_kind::scripted)
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

void connect(const yaml_node& root, model_config& x, const block_context& context) {
  auto url_at = place_of(root, {"models", x.name, "base_url"});
  fill_in(x.api_key, x.name, place_of(root, {"models", x.name, "api_key"}), context);
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
  x.base_url.clear();
  x.folder.clear();
  x.input_price = x.cached_input_price = x.cache_write_price = x.output_price = 0;
}

} // namespace

void read_models(map_reader models, raw_topology& x, const block_context& context) {
  for (const auto& entry : models.entries())
    read_model(entry.key, models.inner(entry), x, context);
}

std::set<std::string> asked_models(const topology& x) {
  std::set<std::string> result;
  std::deque<std::string> open;
  for (const auto& agent : x.agents)
    open.push_back(agent.model);
  for (; !open.empty(); open.pop_front()) {
    auto model = x.model(open.front());
    if (model && result.insert(model->name).second)
      open.insert(open.end(), model->fallback.begin(), model->fallback.end());
  }
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
