#pragma once

#include "messages/topology.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

// What flows along routes. An output port carries the name of what it gives:
//
//   node       takes                                  gives
//   task                                              task (written without a port)
//   planner    task                                   ideas
//   search     ideas, correct, exhausted, insight     assignment
//   coder      assignment                             candidate
//   fixer      rejected                               candidate, exhausted
//   profiler   correct                                insight
//   recipe     task                                   candidate
//   evaluator  candidate                              correct, rejected

namespace lathe::runtime {

/// What one output of one node gives and another node takes.
enum class goods : std::uint8_t {
  task,
  ideas,
  assignment,
  candidate,
  correct,
  rejected,
  exhausted,
  insight,
};

/// When an output has to lead somewhere.
enum class duty : std::uint8_t {
  free,      ///< the session knows what to do without a route
  always,    ///< without a route the work would be lost
  to_search, ///< where there are coders, a search would wait for it for ever
};

/// One output of a node.
struct output_port {
  goods gives;
  duty must_lead = duty::always;
};

/// What a node takes and gives.
struct node_ports {
  std::vector<goods> takes;
  std::vector<output_port> gives;

  bool accepts(goods x) const;
  const output_port* output(std::string_view port) const;
};

/// Returns the ports of an agent with this role.
const node_ports& ports_of(role x);

/// Returns the ports of `task`, `search` or `evaluator`, or of the agent with this name; nullptr
/// for a name that nothing has.
const node_ports* ports_of(const topology& x, std::string_view node);

/// Returns "rejected candidates": what a node takes, in words.
std::string_view many(goods x);

/// Returns "a rejected candidate": what a port gives, in words.
std::string_view one(goods x);

} // namespace lathe::runtime

namespace lathe {

template <>
struct enum_names<runtime::goods> {
  static constexpr std::array<std::string_view, 8> value = {
    "task", "ideas", "assignment", "candidate", "correct", "rejected", "exhausted", "insight"};
};

} // namespace lathe
