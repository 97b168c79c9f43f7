#include "runtime/topology/ports.hpp"

#include <algorithm>
#include <array>

namespace lathe::runtime {

namespace {

const node_ports task_ports = {{}, {{goods::task, duty::free}}};

const node_ports search_ports = {
  {goods::ideas, goods::correct, goods::exhausted, goods::insight},
  {{goods::assignment}},
};

const node_ports evaluator_ports = {
  {goods::candidate},
  {{goods::correct, duty::to_search}, {goods::rejected, duty::free}},
};

// In the order of `role`.
const std::array<node_ports, 5> role_ports = {{
  {{goods::task}, {{goods::ideas}}},
  {{goods::assignment}, {{goods::candidate}}},
  {{goods::rejected}, {{goods::candidate}, {goods::exhausted, duty::to_search}}},
  {{goods::correct}, {{goods::insight}}},
  {{goods::task, goods::correct}, {{goods::candidate}}},
}};

struct words {
  std::string_view many;
  std::string_view one;
};

// In the order of `goods`.
constexpr std::array<words, 8> phrases = {{
  {"tasks", "a task"},
  {"ideas", "a list of ideas"},
  {"assignments", "an assignment"},
  {"candidates", "a candidate"},
  {"correct candidates", "a correct candidate"},
  {"rejected candidates", "a rejected candidate"},
  {"exhausted lines of work", "an exhausted line of work"},
  {"insights", "an insight"},
}};

} // namespace

bool node_ports::accepts(goods x) const {
  return std::find(takes.begin(), takes.end(), x) != takes.end();
}

const output_port* node_ports::output(std::string_view port) const {
  auto i = std::find_if(gives.begin(), gives.end(), [&](const output_port& x) {
    return x.gives == goods::task ? port.empty() : to_string(x.gives) == port;
  });
  return i == gives.end() ? nullptr : &*i;
}

const node_ports& ports_of(role x) {
  return role_ports.at(static_cast<std::size_t>(x));
}

const node_ports* ports_of(const topology& x, std::string_view node) {
  if (node == task_source)
    return &task_ports;
  if (node == search_node)
    return &search_ports;
  if (node == evaluator_node)
    return &evaluator_ports;
  auto agent = x.agent(node);
  return agent ? &ports_of(agent->role) : nullptr;
}

std::string_view many(goods x) {
  return phrases.at(static_cast<std::size_t>(x)).many;
}

std::string_view one(goods x) {
  return phrases.at(static_cast<std::size_t>(x)).one;
}

} // namespace lathe::runtime
