#include "tests/runtime/topology/sample.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <random>
#include <sstream>

using namespace lathe;
using namespace lathe::runtime;

namespace {

const auto configs = std::filesystem::path{LATHE_CONFIGS};
const auto topologies = configs / "topologies";

read_options everything_set() {
  read_options result;
  result.environment = [](const std::string&) { return std::optional<std::string>{"set"}; };
  return result;
}

topology shipped(const std::string& name) {
  auto x = read_topology(topologies / name, everything_set());
  EXPECT_TRUE(x.ok()) << to_string(x.mistakes);
  return x.value;
}

std::vector<std::string> lines_of(const std::filesystem::path& file) {
  std::vector<std::string> result;
  std::ifstream in{file};
  for (std::string line; std::getline(in, line);)
    result.push_back(line);
  return result;
}

/// Deletes, doubles or garbles a few lines.
std::string mutate(std::vector<std::string> lines, std::mt19937& random) {
  auto below = [&](std::size_t bound) {
    return std::uniform_int_distribution<std::size_t>{0, bound - 1}(random);
  };
  for (auto times = 1 + below(4); times > 0 && !lines.empty(); --times) {
    auto at = lines.begin() + static_cast<std::ptrdiff_t>(below(lines.size()));
    switch (below(4)) {
      case 0:
        lines.erase(at);
        break;
      case 1:
        lines.insert(at, *at);
        break;
      case 2:
        if (!at->empty())
          (*at)[below(at->size())] = static_cast<char>(below(256));
        break;
      default:
        std::swap(*at, lines[below(lines.size())]);
        break;
    }
  }
  std::string result;
  for (const auto& line : lines)
    result += line + "\n";
  return result;
}

} // namespace

TEST(shipped_topologies, every_file_can_be_used_as_it_is) {
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator{topologies}) {
    auto x = read_topology(entry.path(), everything_set());
    EXPECT_TRUE(x.ok()) << to_string(x.mistakes);
    EXPECT_EQ(x.value.name, entry.path().stem()) << "the name is the file's";
    EXPECT_TRUE(read_topology_text(x.text, "journal", "/", everything_set()).ok()) << entry.path();
    ++count;
  }
  EXPECT_GE(count, 6u);
}

TEST(shipped_topologies, every_file_can_be_tried_without_a_key) {
  for (const auto& entry : std::filesystem::directory_iterator{topologies}) {
    read_options options;
    options.environment = [](const std::string&) { return std::nullopt; };
    options.llm_override = "scripted";
    auto x = read_topology(entry.path(), options);
    EXPECT_TRUE(x.ok()) << to_string(x.mistakes);
    for (const auto& agent : x.value.agents) {
      auto model = x.value.model(agent.model);
      EXPECT_TRUE(!model || model->provider == provider_kind::scripted) << entry.path();
    }
  }
}

TEST(shipped_topologies, the_cheap_fixer_differs_from_pike_b_in_the_fixers_model_alone) {
  auto base = shipped("pike-b.yaml");
  auto cheap = shipped("pike-b-cheap-fixer.yaml");
  EXPECT_EQ(cheap.agent("fixer")->model, "cheap");
  EXPECT_LT(cheap.model("cheap")->price.output, base.model("strong")->price.output);
  for (auto& agent : cheap.agents)
    if (agent.name == "fixer")
      agent.model = "strong";
  EXPECT_EQ(cheap.agents, base.agents);
  EXPECT_EQ(cheap.routes, base.routes);
  EXPECT_EQ(cheap.budget, base.budget);
}

TEST(shipped_topologies, pike_b_is_as_published) {
  auto x = shipped("pike-b.yaml");
  EXPECT_EQ(x.agent("planner")->ideas, 10);
  EXPECT_EQ(x.agent("coder")->instances, 10);
  EXPECT_EQ(x.agent("fixer")->attempts, 5);
  EXPECT_EQ(x.search, (search_config{"branching", 10, 4, 10}));
  EXPECT_EQ(x.budget, (budget_config{300, 25, 43'200}));
}

TEST(shipped_topologies, a_local_server_needs_no_key_and_costs_nothing) {
  read_options options;
  options.environment = [](const std::string&) { return std::nullopt; };
  auto x = read_topology(topologies / "local-server.yaml", options);
  ASSERT_TRUE(x.ok()) << to_string(x.mistakes);
  EXPECT_EQ(x.value.model("strong")->base_url, "http://127.0.0.1:8091/v1");
  EXPECT_EQ(x.value.model("strong")->api_key, "");
  EXPECT_EQ(x.value.model("strong")->price.output, 0);
}

TEST(shipped_topologies, a_garbled_file_gives_mistakes_and_never_an_exception) {
  auto lines = lines_of(topologies / "pike-b.yaml");
  ASSERT_GT(lines.size(), 20u);
  std::size_t refused = 0;
  for (unsigned seed = 0; seed < 1'000; ++seed) {
    std::mt19937 random{seed};
    auto text = mutate(lines, random);
    reading x;
    ASSERT_NO_THROW(x = read_topology_text(text, "t.yaml", topologies, everything_set()))
      << "seed " << seed << "\n"
      << text;
    EXPECT_EQ(x.ok(), !x.text.empty()) << "seed " << seed;
    refused += x.ok() ? 0 : 1;
    for (const auto& mistake : x.mistakes) {
      EXPECT_EQ(mistake.file, "t.yaml") << "seed " << seed;
      EXPECT_FALSE(mistake.message.empty()) << "seed " << seed;
    }
  }
  EXPECT_GT(refused, 500u);
}

// Or nothing of it is cached from one question to the next.
TEST(shipped_prompts, what_changes_comes_after_what_does_not) {
  for (const auto* name : {"planner.md", "coder.md", "fixer.md", "profiler.md"}) {
    auto lines = lines_of(configs / "prompts" / name);
    auto mark = std::find(lines.begin(), lines.end(), "{{!question}}");
    ASSERT_NE(mark, lines.end()) << name;
    for (auto line = lines.begin(); line != mark; ++line)
      for (const auto* variable : {"idea", "parents", "history", "rejected", "evidence", "outcome",
                                   "attempt", "profile}", "candidate_source", "speedup"})
        EXPECT_EQ(line->find("{{{" + std::string{variable}), std::string::npos)
          << name << ": " << *line;
  }
}
