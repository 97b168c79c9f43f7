#include "tests/runtime/topology/sample.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

namespace lathe::runtime {

// The numbers on the left are those that tests expect.
// clang-format off
const std::string sample = /*  1 */ "version: 1\n"
                           /*  2 */ "name: sample\n"
                           /*  3 */ "models:\n"
                           /*  4 */ "  strong:\n"
                           /*  5 */ "    provider: openai\n"
                           /*  6 */ "    model: large\n"
                           /*  7 */ "    api_key: ${OPENAI_API_KEY}\n"
                           /*  8 */ "    price: {input: 1, output: 2}\n"
                           /*  9 */ "agents:\n"
                           /* 10 */ "  planner: {role: planner, model: strong, prompt_text: plan}\n"
                           /* 11 */ "  coder:\n"
                           /* 12 */ "    role: coder\n"
                           /* 13 */ "    model: strong\n"
                           /* 14 */ "    prompt_text: code\n"
                           /* 15 */ "    instances: 2\n"
                           /* 16 */ "  fixer: {role: fixer, model: strong, prompt_text: fix}\n"
                           /* 17 */ "  profiler: {role: profiler}\n"
                           /* 18 */ "  recipes: {role: recipe, passes: [fold]}\n"
                           /* 19 */ "routes:\n"
                           /* 20 */ "  - task -> [planner, recipes]\n"
                           /* 21 */ "  - planner.ideas -> search\n"
                           /* 22 */ "  - search.assignment -> coder\n"
                           /* 23 */ "  - coder.candidate -> evaluator\n"
                           /* 24 */ "  - recipes.candidate -> evaluator\n"
                           /* 25 */ "  - evaluator.correct -> [search, profiler]\n"
                           /* 26 */ "  - evaluator.rejected -> fixer\n"
                           /* 27 */ "  - fixer.candidate -> evaluator\n"
                           /* 28 */ "  - fixer.exhausted -> search\n"
                           /* 29 */ "  - profiler.insight -> search\n"
                           /* 30 */ "search: {policy: branching, population: 4, parents: 2}\n"
                           /* 31 */ "evaluator: {device: cpu}\n"
                           /* 32 */ "budget: {queries: 40}\n";
// clang-format on

std::string spoilt(const std::string& from, const std::string& to) {
  auto result = sample;
  auto position = result.find(from);
  EXPECT_NE(position, std::string::npos) << "the sample has no '" << from << "'";
  EXPECT_EQ(result.find(from, position + 1), std::string::npos)
    << "'" << from << "' is there twice";
  return result.replace(position, from.size(), to);
}

read_options with_key() {
  read_options result;
  result.environment = [](const std::string& name) {
    return name == "OPENAI_API_KEY" ? std::optional<std::string>{"sk-test"} : std::nullopt;
  };
  return result;
}

reading read(const std::string& text, const read_options& options) {
  return read_topology_text(text, "t.yaml", "here", options);
}

std::vector<std::string> mistakes_in(const std::string& text, const read_options& options) {
  std::vector<std::string> result;
  for (const auto& mistake : read(text, options).mistakes)
    result.push_back(to_string(mistake));
  return result;
}

temporary_folder::temporary_folder() {
  auto name = (std::filesystem::temp_directory_path() / "lathe-topology-XXXXXX").string();
  if (!::mkdtemp(name.data()))
    throw std::filesystem::filesystem_error{"mkdtemp", name, {}};
  path_ = name;
}

temporary_folder::~temporary_folder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::filesystem::path temporary_folder::write(const std::string& name,
                                              const std::string& text) const {
  auto path = path_ / name;
  std::filesystem::create_directories(path.parent_path());
  std::ofstream{path, std::ios::binary} << text;
  return path;
}

} // namespace lathe::runtime
