#pragma once

#include "messages/work.hpp"

#include <algorithm>
#include <array>

// A topology as the rest of Lathe sees it: checked, with defaults filled in. `runtime/topology`
// reads it from YAML. An API key is not in here: it stays with the gateway of the node that calls.

namespace lathe {

/// Who answers LLM requests for a model.
enum class provider_kind : std::uint8_t {
  openai,   ///< any server that speaks OpenAI's chat completions
  scripted, ///< answers from a folder, for demos and tests
};

template <>
struct enum_names<provider_kind> {
  static constexpr std::array<std::string_view, 2> value = {"openai", "scripted"};
};

/// One model of a topology.
struct model_config {
  std::string name;
  provider_kind provider = provider_kind::scripted;
  std::string model;                       ///< as the provider names it
  std::string base_url;                    ///< openai: "https://api.openai.com/v1"
  std::string api_key;                     ///< never stored, never logged, never sent to another node
  std::string answers;                     ///< scripted: the folder
  std::optional<double> temperature;       ///< left out of the request when not set
  std::int64_t max_output_tokens = 16'000;
  std::int32_t in_flight = 16;             ///< calls at once
  double timeout = 600;                    ///< [seconds] for one call
  double input_price = 0;                  ///< [USD per million tokens]
  double cached_input_price = 0;           ///< [USD per million tokens]
  double output_price = 0;                 ///< [USD per million tokens]
};

/// The name of whom or what an output goes to, or comes from, that is not an agent.
inline constexpr std::string_view task_source = "task";
inline constexpr std::string_view search_node = "search";
inline constexpr std::string_view evaluator_node = "evaluator";

/// `source.port -> [targets]`
struct route {
  std::string source; ///< an agent's name, or task, search, evaluator
  std::string port;   ///< ideas, candidate, assignment, correct, rejected, exhausted, insight; task: empty
  std::vector<std::string> targets;

  friend bool operator==(const route&, const route&) = default;
};

/// How parents and ideas are picked.
struct search_config {
  std::string policy = "branching"; ///< branching, best_of
  std::int32_t population = 10;     ///< branching: lines of work under way at once
  std::int32_t parents = 4;         ///< branching: how many of the best are built on
  std::int32_t samples = 10;        ///< best_of: how many candidates are asked for

  friend bool operator==(const search_config&, const search_config&) = default;
};

/// How candidates are judged.
struct evaluator_config {
  std::string device = "auto";      ///< auto, cpu
  std::string judge = "strict";     ///< strict
  std::string tolerance = "fp32";   ///< fp32, tf32, half, kernelbench, pike
  std::string mode = "eval";        ///< eval, train
  std::int32_t threads = 1;         ///< cpu: torch threads of reference and candidate
  std::int32_t workers = 0;         ///< evaluations at once; 0: as many as cores
  std::vector<std::string> baselines = {"eager"}; ///< eager, compile
  double build_limit = 300;         ///< [seconds] one build may take
  double run_limit = 60;            ///< [seconds] warm-up, and one check, may take each
  double time_budget = 2;           ///< [seconds] of measuring at most
  std::int64_t memory = 8'589'934'592; ///< [bytes] a candidate may use
  bool require_sandbox = false;     ///< refuse to run where a part of the sandbox is missing

  friend bool operator==(const evaluator_config&, const evaluator_config&) = default;
};

/// What one session may spend. Zero: no limit.
struct budget_config {
  std::int64_t queries = 0;
  double usd = 0;
  double wall = 0; ///< [seconds]

  friend bool operator==(const budget_config&, const budget_config&) = default;
};

/// Agents, models, routes, search policy, evaluator and budget of a run.
struct topology {
  std::string name;
  std::vector<model_config> models;
  std::vector<agent_config> agents;
  std::vector<route> routes;
  search_config search;
  evaluator_config evaluator;
  budget_config budget;

  /// Returns the agent of this name, or nullptr.
  const agent_config* agent(std::string_view agent_name) const {
    auto i = std::find_if(agents.begin(), agents.end(),
                          [&](const agent_config& x) { return x.name == agent_name; });
    return i == agents.end() ? nullptr : &*i;
  }

  /// Returns the model of this name, or nullptr.
  const model_config* model(std::string_view model_name) const {
    auto i = std::find_if(models.begin(), models.end(),
                          [&](const model_config& x) { return x.name == model_name; });
    return i == models.end() ? nullptr : &*i;
  }
};

} // namespace lathe
