#include "llm_clients/price.hpp"
#include "llm_clients/provider_factory.hpp"
#include "llm_clients/rate_limit.hpp"
#include "messages/error.hpp"
#include "tools/lathe/commands.hpp"
#include "tools/lathe/topology_reading.hpp"

#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <future>
#include <memory>
#include <mutex>

namespace lathe::cli {

namespace {

using namespace llm_clients;

constexpr auto footer = R"(examples:
  lathe llm check my.yaml
  lathe llm check my.yaml --json

Asks each model of a topology one tiny question, which may cost a fraction of a cent, and says how
long that took, what it cost, what tokens cost, which limits the server speaks of, or what is wrong.
Exit code 3 when a model that was asked did not answer.)";

// Room for a word, and for what is thought before.
constexpr std::int64_t tiny_output = 1024;

// What one model said.
struct finding {
  model_config model; // without its key
  reply said = failure{};
  std::vector<seen_limit> limits;
};

model_config for_one_word(model_config x) {
  x.max_output_tokens = std::min(
    x.max_output_tokens, std::max<std::int64_t>(x.thinking_tokens.value_or(0), 0) + tiny_output);
  x.timeout = std::min(x.timeout, 120.0);
  return x;
}

// Outlives the call on the provider's thread.
struct listener {
  std::promise<reply> answer;
  std::mutex mutex; // guards limits
  rate_limit limits{{}};
};

finding ask(const model_config& model, provider& asked) {
  finding result;
  result.model = model;
  result.model.api_key.clear();
  llm_request question;
  question.role = question.agent = "coder";
  question.model = model.name;
  question.prompt = "Answer with the word ready.";
  auto heard = std::make_shared<listener>();
  auto hear = [heard](const header_map& headers) {
    std::lock_guard guard{heard->mutex};
    heard->limits.observe(std::chrono::steady_clock::now(), headers);
  };
  asked.ask(question,
            completion{[heard](reply x) { heard->answer.set_value(std::move(x)); }, hear});
  result.said = heard->answer.get_future().get();
  std::lock_guard guard{heard->mutex};
  result.limits = heard->limits.seen();
  return result;
}

std::future<finding> known(finding x) {
  std::promise<finding> result;
  result.set_value(std::move(x));
  return result.get_future();
}

std::vector<finding> ask_all(const topology& x) {
  auto providers = standard_providers();
  std::vector<std::unique_ptr<provider>> made;
  std::vector<std::future<finding>> asked;
  for (const auto& name : runtime::asked_models(x)) {
    auto model = for_one_word(*x.model(name));
    if (model.provider == provider_kind::mailbox) { // who asks there waits, and somebody pays
      asked.push_back(
        known({model, failure{failure_kind::wait, "a mailbox: it is not asked"}, {}}));
    } else if (auto one = providers(model)) {
      made.push_back(std::move(*one));
      asked.push_back(std::async(std::launch::async, ask, model, std::ref(*made.back())));
    } else {
      model.api_key.clear();
      asked.push_back(known({model, failure{failure_kind::fail, describe(one.error())}, {}}));
    }
  }
  std::vector<finding> result;
  for (auto& answer : asked)
    result.push_back(answer.get());
  return result;
}

std::string told(const std::vector<seen_limit>& limits) {
  std::vector<std::string> parts;
  for (const auto& x : limits)
    if (x.limit)
      parts.push_back(fmt::format("{} {}", *x.limit, to_string(x.kind)));
  return fmt::format("{}", fmt::join(parts, ", "));
}

bool has_price(const model_config& x) {
  return x.price != token_prices{};
}

double tokens_a_second(const llm_answer& x) {
  return static_cast<double>(x.cost.output_tokens) / std::max(x.seconds, 1e-3);
}

void print(const finding& x) {
  if (auto why = std::get_if<failure>(&x.said)) {
    fmt::print("{:<12} {}\n", x.model.name, why->sentence);
    return;
  }
  const auto& answer = std::get<llm_answer>(x.said);
  auto cost = has_price(x.model) ? fmt::format("${:.6f}", answer.cost.usd) : "no price is given";
  fmt::print("{:<12} {} answered in {:.2f} s, {:.0f} tokens/s · {} tokens in, {} out ({} of them "
             "thought) · {}\n",
             x.model.name, answer.model, answer.seconds, tokens_a_second(answer),
             answer.cost.input_tokens, answer.cost.output_tokens, answer.cost.reasoning_tokens,
             cost);
  if (auto price = describe_price(x.model); !price.empty())
    fmt::print("{:<12} costs {}\n", "", price);
  if (auto limits = told(x.limits); !limits.empty())
    fmt::print("{:<12} the server allows {} a minute\n", "", limits);
}

boost::json::object to_json(const token_prices& x) {
  boost::json::object result{
    {"input", x.input}, {"cached_input", x.cached_input}, {"output", x.output}};
  if (x.cache_write > 0)
    result["cache_write"] = x.cache_write;
  return result;
}

// In the words of a topology's `price`; null when nobody says it.
boost::json::value price_in_json(const model_config& x) {
  if (!has_price(x))
    return nullptr;
  auto result = to_json(x.price);
  if (x.long_prompt > 0) {
    result["long_prompt"] = x.long_prompt;
    result["long"] = to_json(x.long_price);
  }
  return result;
}

boost::json::object to_json(const finding& x) {
  boost::json::object result{{"model", x.model.name}};
  if (auto why = std::get_if<failure>(&x.said)) {
    result[why->kind == failure_kind::wait ? "note" : "problem"] = why->sentence;
    return result;
  }
  const auto& answer = std::get<llm_answer>(x.said);
  result["answered_as"] = answer.model;
  result["seconds"] = answer.seconds;
  result["tokens_a_second"] = tokens_a_second(answer);
  result["input_tokens"] = answer.cost.input_tokens;
  result["output_tokens"] = answer.cost.output_tokens;
  result["reasoning_tokens"] = answer.cost.reasoning_tokens;
  result["usd"] = has_price(x.model) ? boost::json::value(answer.cost.usd) : boost::json::value();
  result["price"] = price_in_json(x.model);
  result["price_source"] = x.model.price_source;
  boost::json::object limits;
  for (const auto& limit : x.limits)
    if (limit.limit)
      limits[to_string(limit.kind)] = *limit.limit;
  result["limits_a_minute"] = std::move(limits);
  return result;
}

int check(const std::string& file, bool json) {
  auto reading = read_topology_or_explain(file, find_installation(), "");
  if (!reading)
    return user_mistake;
  auto found = ask_all(reading->value);
  if (json) {
    boost::json::array models;
    for (const auto& x : found)
      models.push_back(to_json(x));
    fmt::print("{}\n", boost::json::serialize(boost::json::object{{"models", std::move(models)}}));
  } else if (found.empty()) {
    fmt::print("no agent of this topology asks a model\n");
  } else {
    std::ranges::for_each(found, print);
  }
  auto failed = [](const finding& x) {
    auto why = std::get_if<failure>(&x.said);
    return why != nullptr && why->kind != failure_kind::wait;
  };
  return std::ranges::any_of(found, failed) ? environment_lacks : done;
}

struct check_arguments {
  std::string file;
  bool json = false;
};

} // namespace

void add_llm(CLI::App& app, int& exit_code) {
  auto* command = app.add_subcommand("llm", "look at the models of a topology");
  command->require_subcommand(1);
  auto x = std::make_shared<check_arguments>();
  auto* checking = command->add_subcommand("check", "ask each model a tiny question");
  checking->footer(footer);
  checking->add_option("file", x->file, "topology file")->required()->type_name("FILE");
  checking->add_flag("--json", x->json, "one JSON document on standard output");
  checking->callback([x, &exit_code] { exit_code = check(x->file, x->json); });
}

} // namespace lathe::cli
