#include "runtime/topology/check.hpp"

#include "runtime/topology/ports.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <map>

namespace lathe::runtime {

namespace {

// What every check looks at.
struct subject {
  const raw_topology& x;
  const yaml_node& root;
  mistake_list& mistakes;

  const topology& value() const {
    return x.value;
  }

  bool has_coder() const {
    return std::any_of(value().agents.begin(), value().agents.end(),
                       [](const agent_config& agent) { return agent.role == role::coder; });
  }

  // Whether an output leads to `target`, or anywhere when that is empty.
  bool has_wire(std::string_view source, std::string_view port,
                std::string_view target = {}) const {
    return std::any_of(x.wires.begin(), x.wires.end(), [&](const wire& w) {
      return w.source == source && w.port == port && (target.empty() || w.target == target);
    });
  }

  bool touches(std::string_view node) const {
    return std::any_of(x.wires.begin(), x.wires.end(),
                       [&](const wire& w) { return w.source == node || w.target == node; });
  }
};

std::vector<std::string> model_names(const topology& x) {
  std::vector<std::string> result;
  for (const auto& model : x.models)
    result.push_back(model.name);
  return result;
}

// What a route may start from or lead to.
std::vector<std::string> node_names(const topology& x) {
  std::vector<std::string> result;
  for (auto name : {task_source, search_node, evaluator_node})
    result.emplace_back(name);
  for (const auto& agent : x.agents)
    result.push_back(agent.name);
  return result;
}

// "coder.candidate": how a route names an output.
std::string output_name(const std::string& node, goods x) {
  return x == goods::task ? node : node + "." + lathe::to_string(x);
}

// -- models ------------------------------------------------------------------------------

void check_models_exist(const subject& s) {
  auto known = model_names(s.value());
  for (const auto& agent : s.value().agents)
    if (!agent.model.empty() && !s.value().model(agent.model))
      s.mistakes.add(place_of(s.root, {"agents", agent.name, "model"}),
                     fmt::format("agents.{}.model: there is no model '{}'{}", agent.name,
                                 agent.model, did_you_mean(agent.model, known)));
}

void check_fallbacks_exist(const subject& s) {
  auto known = model_names(s.value());
  for (const auto& model : s.value().models) {
    auto at = place_of(s.root, {"models", model.name, "fallback"});
    for (const auto& other : model.fallback) {
      if (other == model.name)
        s.mistakes.add(
          at, fmt::format("models.{}.fallback: a model cannot stand in for itself", model.name));
      else if (!s.value().model(other))
        s.mistakes.add(at, fmt::format("models.{}.fallback: there is no model '{}'{}", model.name,
                                       other, did_you_mean(other, known)));
    }
  }
}

// A batch is for one model.
void check_mailboxes(const subject& s) {
  std::map<std::string, std::string> owners; // by folder
  for (const auto& model : s.value().models) {
    if (model.folder.empty())
      continue;
    auto [owner, is_new] = owners.emplace(model.folder, model.name);
    if (!is_new)
      s.mistakes.add(
        place_of(s.root, {"models", model.name, "folder"}),
        fmt::format("models.{}.folder is that of models.{}: each model needs a mailbox "
                    "of its own",
                    model.name, owner->second));
  }
}

// Whoever may spend so much money needs to know what these models cost.
void need_prices(const subject& s, const spend_limit& limit, const std::string& budget,
                 const place& at, const std::set<std::string>& models) {
  if (limit.usd == 0)
    return;
  for (const auto& name : models)
    if (!s.x.priced.contains(name))
      s.mistakes.add(at, fmt::format("{}.usd needs to know what model '{}' costs, which "
                                     "configs/prices.yaml does not say: add price: "
                                     "{{input: ..., output: ...}} to models.{}, in USD per million "
                                     "tokens",
                                     budget, name, name));
}

void check_prices(const subject& s) {
  const auto& x = s.value();
  auto asked = asked_models(x);
  need_prices(s, x.budget.task(), "budget", place_of(s.root, {"budget", "usd"}), asked);
  need_prices(s, x.budget.run, "budget.run", place_of(s.root, {"budget", "run", "usd"}), asked);
  for (const auto& agent : x.agents) {
    auto behind = models_behind(x, agent.model);
    auto at = place_of(s.root, {"agents", agent.name, "budget"});
    need_prices(s, agent.budget, fmt::format("agents.{}.budget", agent.name), at, behind);
    need_prices(s, agent.run_budget, fmt::format("agents.{}.budget.run", agent.name), at, behind);
  }
  for (const auto& model : x.models) {
    if (!asked.contains(model.name))
      continue;
    auto at = place_of(s.root, {"models", model.name, "budget"});
    need_prices(s, model.budget, fmt::format("models.{}.budget", model.name), at, {model.name});
    need_prices(s, model.run_budget, fmt::format("models.{}.budget.run", model.name), at,
                {model.name});
  }
}

// -- routes, one by one --------------------------------------------------------------------

// Returns whether both ends and the port exist.
bool check_ends(const subject& s, const wire& w) {
  auto known = node_names(s.value());
  auto source = ports_of(s.value(), w.source);
  auto target = ports_of(s.value(), w.target);
  if (!source)
    s.mistakes.add(w.at, fmt::format("route '{}': there is no agent '{}'{}", w.text(), w.source,
                                     did_you_mean(w.source, known)));
  if (!target)
    s.mistakes.add(w.at, fmt::format("route '{}': there is no agent '{}'{}", w.text(), w.target,
                                     did_you_mean(w.target, known)));
  if (!source || source->output(w.port))
    return source && target;
  std::vector<std::string> outputs;
  std::vector<std::string> ports;
  for (const auto& output : source->gives) {
    outputs.push_back("'" + output_name(w.source, output.gives) + "'");
    ports.push_back(lathe::to_string(output.gives));
  }
  s.mistakes.add(w.at, fmt::format("route '{}': '{}' is no output; write {}{}", w.text(),
                                   w.output(), either(outputs), did_you_mean(w.port, ports)));
  return false;
}

void check_type(const subject& s, const wire& w) {
  auto gives = ports_of(s.value(), w.source)->output(w.port)->gives;
  auto target = ports_of(s.value(), w.target);
  if (target->accepts(gives))
    return;
  std::vector<std::string> wanted;
  for (auto each : target->takes)
    wanted.emplace_back(many(each));
  s.mistakes.add(w.at,
                 fmt::format("route '{}' does not fit: {} takes {}, {} is {}", w.text(), w.target,
                             wanted.empty() ? "nothing" : either(wanted), w.output(), one(gives)));
}

void check_duplicates(const subject& s) {
  std::set<std::string> seen;
  for (const auto& w : s.x.wires)
    if (!seen.insert(w.text()).second)
      s.mistakes.add(w.at, fmt::format("route '{}' is there twice", w.text()));
}

void check_routes(const subject& s) {
  for (const auto& w : s.x.wires)
    if (check_ends(s, w))
      check_type(s, w);
  check_duplicates(s);
}

// -- the graph as a whole ------------------------------------------------------------------

// A node that takes `x`, or nothing.
std::optional<std::string> taker_of(const subject& s, goods x) {
  for (const auto& name : node_names(s.value()))
    if (ports_of(s.value(), name)->accepts(x))
      return name;
  return std::nullopt;
}

// An output that gives `x`, or nothing.
std::optional<std::string> giver_of(const subject& s, goods x) {
  for (const auto& name : node_names(s.value()))
    for (const auto& output : ports_of(s.value(), name)->gives)
      if (output.gives == x)
        return output_name(name, x);
  return std::nullopt;
}

void check_output(const subject& s, const std::string& node, const output_port& output,
                  const place& at) {
  auto port = lathe::to_string(output.gives);
  auto name = output_name(node, output.gives);
  auto taker = taker_of(s, output.gives);
  if (output.must_lead == duty::always && !s.has_wire(node, port))
    s.mistakes.add(
      at, taker ? fmt::format("{} leads nowhere: add the route '{} -> {}'", name, name, *taker)
                : fmt::format("{} leads nowhere: no agent takes {}", name, many(output.gives)));
  if (output.must_lead == duty::to_search && s.has_coder() && !s.has_wire(node, port, search_node))
    s.mistakes.add(at, fmt::format("{} does not lead to search, which would wait for it: add the "
                                   "route '{} -> search'",
                                   name, name));
}

void check_outputs(const subject& s, const std::string& node, const place& at) {
  for (const auto& output : ports_of(s.value(), node)->gives)
    check_output(s, node, output, at);
}

// Everything that work can get to. A search starts by itself: it needs no ideas.
std::set<std::string> reached(const subject& s) {
  std::set<std::string> result{std::string{task_source}, std::string{search_node}};
  std::deque<std::string> open{result.begin(), result.end()};
  while (!open.empty()) {
    auto node = std::move(open.front());
    open.pop_front();
    for (const auto& w : s.x.wires)
      if (w.source == node && result.insert(w.target).second)
        open.push_back(w.target);
  }
  return result;
}

void check_agents_are_reached(const subject& s) {
  auto within = reached(s);
  for (const auto& agent : s.value().agents) {
    if (within.contains(agent.name))
      continue;
    auto takes = ports_of(agent.role).takes.front();
    auto giver = giver_of(s, takes);
    auto is_target = [&](const wire& w) { return w.target == agent.name; };
    auto fed = std::any_of(s.x.wires.begin(), s.x.wires.end(), is_target);
    auto advice = fed     ? "no work ever gets to where its routes start"
                  : giver ? fmt::format("add the route '{} -> {}'", *giver, agent.name)
                          : fmt::format("no agent gives {}", many(takes));
    s.mistakes.add(place_of(s.root, {"agents", agent.name}),
                   fmt::format("nothing reaches agent '{}': {}", agent.name, advice));
  }
}

bool spends_money(const topology& x) {
  auto asked = asked_models(x);
  return std::any_of(asked.begin(), asked.end(), [&](const std::string& name) {
    return x.model(name)->price != token_prices{};
  });
}

// The only loop that does not count its rounds is search -> coder -> evaluator -> search: a fixer
// counts attempts, and best_of counts samples.
void check_loops_end(const subject& s) {
  const auto& budget = s.value().budget;
  auto search = std::string{search_node};
  if (s.value().search.policy != "branching" || !s.has_wire(search, "assignment"))
    return;
  auto counts = [](const spend_limit& x) { return x.queries > 0 || x.tokens > 0; };
  auto ends = budget.wall > 0 || counts(budget.task()) || counts(budget.run);
  if (!ends && budget.usd == 0 && budget.run.usd == 0)
    s.mistakes.add(place_of(s.root, {"budget"}),
                   "nothing ends the loop from search over the coders and the evaluator back to "
                   "search: set budget.queries, budget.tokens, budget.usd or budget.wall");
  else if (!ends && !spends_money(s.value()))
    s.mistakes.add(place_of(s.root, {"budget", "usd"}),
                   "budget.usd ends nothing here, because no model costs anything: set "
                   "budget.queries or budget.wall");
}

void check_graph(const subject& s) {
  for (const auto& agent : s.value().agents)
    check_outputs(s, agent.name, place_of(s.root, {"agents", agent.name}));
  for (auto node : {search_node, evaluator_node})
    if (s.touches(node))
      check_outputs(s, std::string{node}, place_of(s.root, {"routes"}));
  check_agents_are_reached(s);
  check_loops_end(s);
}

} // namespace

void check(const raw_topology& x, const yaml_node& root, mistake_list& mistakes) {
  auto s = subject{x, root, mistakes};
  check_models_exist(s);
  check_fallbacks_exist(s);
  check_mailboxes(s);
  check_prices(s);
  if (!x.complete)
    return;
  auto before = mistakes.size();
  check_routes(s);
  // A graph with a misspelt route in it would be blamed for what only the route is guilty of.
  if (mistakes.size() == before && !x.value.agents.empty())
    check_graph(s);
}

} // namespace lathe::runtime
