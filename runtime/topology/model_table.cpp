#include "runtime/topology/model_table.hpp"

#include "runtime/topology/source_files.hpp"

#include <algorithm>

#include <fnmatch.h>

namespace lathe::runtime {

namespace {

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

void read_entry(map_reader reader, const model_subject& of,
                const std::function<void(map_reader&, bool)>& read) {
  std::string provider;
  if (!reader.read_word("provider", provider, {"openai", "anthropic", "gemini"}))
    return reader.refuse("provider", "is missing: openai, anthropic or gemini");
  auto hosts = read_patterns(reader, "host");
  auto models = read_patterns(reader, "model");
  read(reader, provider == of.provider && matches(hosts, of.host) && matches(models, of.model));
  reader.finish();
}

} // namespace

model_subject subject_of(const model_config& x, const std::string& address) {
  return {to_string(x.provider), host_of(address), x.model};
}

void read_table(const std::string& name, const model_subject& of, const block_context& context,
                const std::function<void(map_reader& entry, bool fits)>& read) {
  auto file = context.options.configs / (name + ".yaml");
  auto text = read_text_file(file);
  if (auto known = std::get_if<std::string>(&text))
    if (auto table = parse_yaml(*known, file.string(), context.mistakes))
      for (const auto& entry : table->items)
        read_entry(map_reader{entry, name, context.mistakes}, of, read);
}

} // namespace lathe::runtime
