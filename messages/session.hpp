#pragma once

#include "messages/llm.hpp"
#include "messages/topology.hpp"
#include "messages/types.hpp"

#include <caf/actor_control_block.hpp>

namespace lathe {

/// What a session shows of itself.
struct session_status {
  session_id name;
  std::string state;          ///< preparing, searching, confirming, suspended, done or failed
  double speedup = 1;         ///< of the best candidate; 1 while there is none
  double low = 1;             ///< its 95 % interval
  double high = 1;
  std::string best = "reference"; ///< the best candidate's origin
  std::int32_t tried = 0;     ///< verdicts so far
  std::int32_t right = 0;
  std::int32_t wrong = 0;     ///< incorrect, or did not run
  std::int32_t refused = 0;
  std::int32_t in_flight = 0; ///< requests that wait for an answer
  spend cost;
  bool finished = false;
  std::map<std::string, std::int32_t> waiting; ///< suspended: questions by the mailbox's model
};

template <class Inspector>
bool inspect(Inspector& f, session_status& x) {
  return f.object(x).fields(
    f.field("name", x.name), f.field("state", x.state), f.field("speedup", x.speedup),
    f.field("low", x.low), f.field("high", x.high), f.field("best", x.best),
    f.field("tried", x.tried), f.field("right", x.right), f.field("wrong", x.wrong),
    f.field("refused", x.refused), f.field("in_flight", x.in_flight), f.field("cost", x.cost),
    f.field("finished", x.finished), f.field("waiting", x.waiting));
}

/// Changes the topology of a session under way: requests that are out finish under the old one.
struct session_update {
  topology plan;
  std::map<std::string, caf::strong_actor_ptr> agents; ///< pools, by the agent's name
};

template <class Inspector>
bool inspect(Inspector& f, session_update& x) {
  return f.object(x).fields(f.field("plan", x.plan), f.field("agents", x.agents));
}

} // namespace lathe
