#include "gpu/screen.hpp"

#include "messages/content_hash.hpp"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>

namespace lathe::gpu {

namespace {

verdict refused(std::string rule, std::string evidence) {
  verdict result;
  result.outcome = outcome::refused;
  result.rule = std::move(rule);
  result.evidence = std::move(evidence);
  return result;
}

std::size_t line_of(std::string_view text, std::size_t offset) {
  return 1 + static_cast<std::size_t>(std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(offset), '\n'));
}

} // namespace

std::optional<verdict> screen(std::string_view source, bool takes_model) {
  if (source.find_first_not_of(" \t\r\n") == std::string_view::npos)
    return refused("empty", "the file is empty");
  if (source.size() > max_candidate_size)
    return refused("too-large", fmt::format("the file is larger than the {} bytes that a candidate "
                                            "may have",
                                            max_candidate_size));
  if (auto nul = source.find('\0'); nul != std::string_view::npos)
    return refused("binary", fmt::format("the file is binary: line {} holds a zero byte",
                                         line_of(source, nul)));
  if (!simdjson::validate_utf8(source.data(), source.size()))
    return refused("not-utf8", "the file is not UTF-8 text");
  if (source.find(takes_model ? "Model" : "ModelNew") == std::string_view::npos)
    return refused("no-model", "the file defines no class ModelNew");
  return std::nullopt;
}

std::string normalised_hash(std::string_view source) {
  std::string text;
  text.reserve(source.size());
  while (!source.empty()) {
    auto end = source.find('\n');
    auto line = source.substr(0, end);
    source.remove_prefix(end == std::string_view::npos ? source.size() : end + 1);
    auto last = line.find_last_not_of(" \t\r");
    if (last == std::string_view::npos)
      continue;
    text.append(line.substr(0, last + 1));
    text += '\n';
  }
  return content_hash(text);
}

} // namespace lathe::gpu
