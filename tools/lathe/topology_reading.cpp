#include "tools/lathe/topology_reading.hpp"

#include <cstdio>

namespace lathe::cli {

namespace {

runtime::read_options options_for(const installation& home, const std::string& llm_override,
                                  const std::map<std::string, std::string>& evaluator) {
  runtime::read_options result;
  result.llm_override = llm_override;
  result.configs = home.configs;
  result.passes = recipe_passes(home);
  result.evaluator = evaluator;
  return result;
}

std::optional<runtime::reading> explain(runtime::reading x) {
  if (x.ok())
    return x;
  std::fputs(runtime::to_string(x.mistakes).c_str(), stderr);
  return std::nullopt;
}

} // namespace

std::optional<runtime::reading>
read_topology_or_explain(const std::filesystem::path& file, const installation& home,
                         const std::string& llm_override,
                         const std::map<std::string, std::string>& evaluator) {
  return explain(runtime::read_topology(file, options_for(home, llm_override, evaluator)));
}

} // namespace lathe::cli
