#include "runtime/topology/blocks.hpp"
#include "runtime/topology/source_files.hpp"

#include <fmt/format.h>

#include <algorithm>

#include <fnmatch.h>

namespace lathe::runtime {

namespace {

// What a model is matched by.
struct subject {
  std::string provider;
  std::string host;
  std::string model;
};

// "api.openai.com" of "https://api.openai.com:443/v1".
std::string host_of(const std::string& address) {
  auto start = address.find("://");
  auto host = start == std::string::npos ? address : address.substr(start + 3);
  return host.substr(0, host.find_first_of(":/"));
}

bool matches(const std::vector<std::string>& patterns, const std::string& text) {
  return patterns.empty() || std::ranges::any_of(patterns, [&](const std::string& pattern) {
           return ::fnmatch(pattern.c_str(), text.c_str(), 0) == 0;
         });
}

// One pattern or several.
std::vector<std::string> read_patterns(map_reader& reader, std::string_view key) {
  std::vector<std::string> result;
  auto node = reader.find(key);
  if (node != nullptr && node->type == yaml_node::kind::list)
    reader.read(key, result);
  else if (std::string one; reader.read(key, one))
    result.push_back(std::move(one));
  return result;
}

void read_keys(map_reader& reader, model_capabilities& x) {
  reader.read("temperature", x.temperature);
  reader.read("streamed_usage", x.streamed_usage);
  reader.read("cache_marks", x.cache_marks);
  reader.read("reasons", x.reasons);
  reader.read_word("output_limit", x.output_limit, {"max_tokens", "max_completion_tokens"});
  reader.read_word("system_role", x.system_role, {"system", "developer", "user"});
}

// Reads one entry of the table, whether it fits or not: a mistake in it is one for everybody.
void read_entry(map_reader reader, const subject& of, model_capabilities& x) {
  std::string provider;
  if (!reader.read_word("provider", provider, {"openai", "anthropic", "gemini"}))
    return reader.refuse("provider", "is missing: openai, anthropic or gemini");
  auto hosts = read_patterns(reader, "host");
  auto models = read_patterns(reader, "model");
  auto changed = x;
  read_keys(reader, changed);
  reader.finish();
  if (provider == of.provider && matches(hosts, of.host) && matches(models, of.model))
    x = changed;
}

} // namespace

void read_capabilities(map_reader own, const std::string& address, model_config& x,
                       const block_context& context) {
  auto file = context.options.configs / "capabilities.yaml";
  auto provider = x.provider == provider_kind::mailbox ? provider_kind::openai : x.provider;
  auto text = read_text_file(file);
  if (auto known = std::get_if<std::string>(&text))
    if (auto table = parse_yaml(*known, file.string(), context.mistakes))
      for (const auto& entry : table->items)
        read_entry(map_reader{entry, "capabilities", context.mistakes},
                   {to_string(provider), host_of(address), x.model}, x.can);
  read_keys(own, x.can);
  own.finish();
}

} // namespace lathe::runtime
