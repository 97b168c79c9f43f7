#pragma once

#include "messages/work.hpp"

#include <algorithm>
#include <array>

// A topology as the rest of Lathe sees it: checked, with defaults filled in. `runtime/topology`
// reads it from YAML. An API key is not in here: it stays with the gateway of the node that calls.

namespace lathe {

/// Who answers LLM requests for a model.
enum class provider_kind : std::uint8_t {
  openai,    ///< any server that speaks OpenAI's chat completions or responses
  anthropic, ///< Anthropic's messages
  gemini,    ///< Google's generateContent
  scripted,  ///< answers from a folder, for demos and tests
  mailbox,   ///< questions and answers are lines of files, answered by whoever wants to
};

template <>
struct enum_names<provider_kind> {
  static constexpr std::array<std::string_view, 5> value = {"openai", "anthropic", "gemini",
                                                            "scripted", "mailbox"};
};

/// What a server takes of what its API has. `configs/capabilities.yaml` says so for those that are
/// known.
struct model_capabilities {
  bool temperature = true;                 ///< other models refuse it at any value
  bool streamed_usage = true;              ///< openai, chat: `stream_options` is understood
  bool cache_marks = false;                ///< anthropic: what is to be cached has to be marked
  bool reasons = false;                    ///< it may think without being told to
  std::string output_limit = "max_tokens"; ///< openai, chat: what the limit is called
  std::string system_role = "system";      ///< openai, chat; "user": put before the prompt

  friend bool operator==(const model_capabilities&, const model_capabilities&) = default;
};

/// What tokens cost [USD per million].
struct token_prices {
  double input = 0;
  double cached_input = 0;
  double cache_write = 0; ///< 0: as other input
  double output = 0;

  friend bool operator==(const token_prices&, const token_prices&) = default;
};

/// One model of a topology.
struct model_config {
  std::string name;
  provider_kind provider = provider_kind::scripted;
  std::string model;                       ///< as the provider names it
  std::string api = "chat";                ///< openai, mailbox: chat, responses
  std::string base_url;                    ///< "https://api.openai.com/v1"
  std::string api_key;                     ///< never stored, never logged, never sent to another node
  std::string api_key_file;                ///< where the key was read; empty: from the environment
  std::string ca_file;                     ///< certificates that are trusted besides the system's
  std::string answers;                     ///< scripted: the folder
  std::string folder;                      ///< mailbox: empty: `mailbox/NAME` in the run's folder
  double wait = 0;                         ///< mailbox: [seconds] before a session is suspended
  std::optional<double> temperature;       ///< left out of the request when not set
  std::int64_t max_output_tokens = 16'000; ///< what it thinks is part of them
  std::string reasoning_effort;            ///< openai, gemini: low, high, ...; empty: its default
  /// anthropic, gemini: at most; gemini: 0 for none, -1 for as many as it likes; nothing: its
  /// default
  std::optional<std::int64_t> thinking_tokens;
  std::string extra; ///< a JSON object whose members every request has, too; empty: none
  bool stream = true;                      ///< whether the answer is asked for in parts
  model_capabilities can;
  std::int32_t in_flight = 16;             ///< calls at once
  std::int32_t requests_per_minute = 0;    ///< 0: no limit
  std::int64_t tokens_per_minute = 0;      ///< 0: no limit
  std::int64_t input_tokens_per_minute = 0;  ///< 0: no limit
  std::int64_t output_tokens_per_minute = 0; ///< 0: no limit
  double timeout = 600;                    ///< [seconds] for one call
  double connect_timeout = 10;             ///< [seconds] for the name, TCP and TLS, each
  double first_byte_timeout = 300;         ///< [seconds] until a streamed answer begins
  double idle_timeout = 180;               ///< [seconds] between two parts of an answer
  token_prices price;
  std::int64_t long_prompt = 0; ///< [tokens] beyond which a call costs `long_price`; 0: none
  token_prices long_price;
  std::string price_source;                ///< where the prices are from, if not from the topology
  std::vector<std::string> fallback;       ///< models to ask, in this order, when this one fails
  spend_limit budget;                      ///< of each session
  spend_limit run_budget;                  ///< of all sessions together
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
  std::string device = "auto";      ///< auto, cpu, cuda, cuda:N, cuda:N,M, cuda:all
  std::string judge = "strict";     ///< strict, kernelbench, pike
  std::string tolerance = "fp32";   ///< fp32, tf32, half, kernelbench, pike
  std::string mode = "eval";        ///< eval, train
  std::int32_t threads = 1;         ///< cpu: torch threads of reference and candidate
  std::int32_t workers = 0;         ///< evaluations at once; 0: as many as cores
  std::vector<std::string> baselines = {"eager"}; ///< eager, compile, compile:MODE
  std::vector<std::string> forbid;  ///< matters of taste: graphs, libraries, fallback, folding
  double build_limit = 300;         ///< [seconds] for a build, and for each call that may compile
  double run_limit = 60;            ///< [seconds] for a block of timed calls
  double time_budget = 0;           ///< [seconds] of measuring at most; 0: by device, 0.4 or 2
  std::int64_t memory = 0;          ///< [bytes] of the host's that a candidate may use; 0: by device
  bool require_sandbox = false;     ///< refuse to run where a part of the sandbox is missing

  friend bool operator==(const evaluator_config&, const evaluator_config&) = default;
};

/// What one session may spend, and all of them together. Zero: no limit.
struct budget_config {
  std::int64_t queries = 0;
  double usd = 0;
  double wall = 0; ///< [seconds]
  std::int64_t tokens = 0;
  spend_limit run;

  /// What a session may spend.
  spend_limit task() const {
    return {queries, tokens, usd};
  }

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

// -- inspection: how a topology is journaled. The API key is left out on purpose. ---------------

template <class Inspector>
bool inspect(Inspector& f, model_capabilities& x) {
  return f.object(x).fields(
    f.field("temperature", x.temperature), f.field("streamed_usage", x.streamed_usage),
    f.field("cache_marks", x.cache_marks), f.field("reasons", x.reasons),
    f.field("output_limit", x.output_limit), f.field("system_role", x.system_role));
}

template <class Inspector>
bool inspect(Inspector& f, token_prices& x) {
  return f.object(x).fields(f.field("input", x.input), f.field("cached_input", x.cached_input),
                            f.field("cache_write", x.cache_write), f.field("output", x.output));
}

template <class Inspector>
bool inspect(Inspector& f, model_config& x) {
  return f.object(x).fields(
    f.field("name", x.name), f.field("provider", x.provider), f.field("model", x.model),
    f.field("api", x.api), f.field("base_url", x.base_url), f.field("answers", x.answers),
    f.field("temperature", x.temperature), f.field("max_output_tokens", x.max_output_tokens),
    f.field("reasoning_effort", x.reasoning_effort), f.field("thinking_tokens", x.thinking_tokens),
    f.field("stream", x.stream), f.field("can", x.can), f.field("in_flight", x.in_flight),
    f.field("requests_per_minute", x.requests_per_minute),
    f.field("tokens_per_minute", x.tokens_per_minute), f.field("timeout", x.timeout),
    f.field("idle_timeout", x.idle_timeout), f.field("input_price", x.price.input),
    f.field("cached_input_price", x.price.cached_input),
    f.field("cache_write_price", x.price.cache_write), f.field("output_price", x.price.output),
    f.field("long_prompt", x.long_prompt).fallback(std::int64_t{0}),
    f.field("long_price", x.long_price).fallback(token_prices{}),
    f.field("price_source", x.price_source).fallback(std::string{}),
    f.field("fallback", x.fallback), f.field("budget", x.budget).fallback(spend_limit{}),
    f.field("run_budget", x.run_budget).fallback(spend_limit{}),
    f.field("ca_file", x.ca_file).fallback(std::string{}),
    f.field("folder", x.folder).fallback(std::string{}), f.field("wait", x.wait).fallback(0.0),
    f.field("extra", x.extra).fallback(std::string{}),
    f.field("input_tokens_per_minute", x.input_tokens_per_minute).fallback(std::int64_t{0}),
    f.field("output_tokens_per_minute", x.output_tokens_per_minute).fallback(std::int64_t{0}),
    f.field("connect_timeout", x.connect_timeout).fallback(10.0),
    f.field("first_byte_timeout", x.first_byte_timeout).fallback(300.0));
}

template <class Inspector>
bool inspect(Inspector& f, route& x) {
  return f.object(x).fields(f.field("source", x.source), f.field("port", x.port),
                            f.field("targets", x.targets));
}

template <class Inspector>
bool inspect(Inspector& f, search_config& x) {
  return f.object(x).fields(f.field("policy", x.policy), f.field("population", x.population),
                            f.field("parents", x.parents), f.field("samples", x.samples));
}

template <class Inspector>
bool inspect(Inspector& f, evaluator_config& x) {
  return f.object(x).fields(
    f.field("device", x.device), f.field("judge", x.judge), f.field("tolerance", x.tolerance),
    f.field("mode", x.mode), f.field("threads", x.threads), f.field("workers", x.workers),
    f.field("baselines", x.baselines), f.field("build_limit", x.build_limit),
    f.field("run_limit", x.run_limit), f.field("time_budget", x.time_budget),
    f.field("memory", x.memory), f.field("require_sandbox", x.require_sandbox),
    f.field("forbid", x.forbid).fallback(std::vector<std::string>{}));
}

template <class Inspector>
bool inspect(Inspector& f, budget_config& x) {
  return f.object(x).fields(f.field("queries", x.queries), f.field("usd", x.usd),
                            f.field("wall", x.wall),
                            f.field("tokens", x.tokens).fallback(std::int64_t{0}),
                            f.field("run", x.run).fallback(spend_limit{}));
}

template <class Inspector>
bool inspect(Inspector& f, topology& x) {
  return f.object(x).fields(f.field("name", x.name), f.field("models", x.models),
                            f.field("agents", x.agents), f.field("routes", x.routes),
                            f.field("search", x.search), f.field("evaluator", x.evaluator),
                            f.field("budget", x.budget));
}

} // namespace lathe
