#include "actors/llm_agents.hpp"

#include "actors/ask_model.hpp"
#include "actors/prompt.hpp"
#include "llm_clients/answer_parsing.hpp"

#include <caf/actor_system.hpp>
#include <caf/stateful_actor.hpp>

namespace lathe::actors {

namespace {

/// What every LLM agent is made of.
template <class Interface>
struct llm_agent_state {
  using self_pointer = typename Interface::template stateful_pointer<llm_agent_state>;

  static inline const char* name = "agent";

  agent_config config;
  gateway_actor gateway;
};

template <class Interface>
using llm_agent = typename Interface::template stateful_pointer<llm_agent_state<Interface>>;

/// Spawns an agent whose behavior is the handler that `make_handler(self)` returns.
template <class Interface, class MakeHandler>
Interface spawn_llm_agent(caf::actor_system& sys, const agent_config& config,
                          const gateway_actor& gateway, MakeHandler make_handler) {
  auto run = [config, gateway, make_handler](
               llm_agent<Interface> self) -> typename Interface::behavior_type {
    self->state.config = config;
    self->state.gateway = gateway;
    return {make_handler(self)};
  };
  return sys.spawn(std::move(run));
}

draft draft_from(llm_answer& answer) {
  draft result;
  result.cost = answer.cost;
  auto cut = answer.finish == "length";
  if (auto code = llm_clients::extract_code(answer.text, cut)) {
    result.source = std::move(*code);
  } else {
    result.problem = describe(code.error());
    if (cut)
      result.problem += " (the answer was cut off at the model's token limit)";
    result.source = std::move(answer.text);
  }
  return result;
}

idea_list ideas_from(llm_answer& answer, std::int32_t limit) {
  idea_list result;
  result.cost = answer.cost;
  result.ideas = llm_clients::extract_ideas(answer.text, static_cast<std::size_t>(limit));
  if (result.ideas.empty())
    result.problem = "the answer holds no list of ideas";
  return result;
}

} // namespace

planner_actor spawn_planner(caf::actor_system& sys, const agent_config& config,
                            const gateway_actor& gateway) {
  return spawn_llm_agent<planner_actor>(sys, config, gateway, [](auto self) {
    return [self](const plan_request& x) -> caf::result<idea_list> {
      auto& st = self->state;
      return ask_model<idea_list>(
        self, st.gateway, st.config, render_prompt(st.config, x), x.session, x.id, 1,
        [limit = st.config.ideas](llm_answer& answer) { return ideas_from(answer, limit); });
    };
  });
}

coder_actor spawn_coder(caf::actor_system& sys, const agent_config& config,
                        const gateway_actor& gateway) {
  return spawn_llm_agent<coder_actor>(sys, config, gateway, [](auto self) {
    return [self](const assignment& x) -> caf::result<draft> {
      auto& st = self->state;
      return ask_model<draft>(self, st.gateway, st.config, render_prompt(st.config, x), x.session,
                              x.id, x.queries, draft_from);
    };
  });
}

fixer_actor spawn_fixer(caf::actor_system& sys, const agent_config& config,
                        const gateway_actor& gateway) {
  return spawn_llm_agent<fixer_actor>(sys, config, gateway, [](auto self) {
    return [self](const fix_request& x) -> caf::result<draft> {
      auto& st = self->state;
      return ask_model<draft>(self, st.gateway, st.config, render_prompt(st.config, x), x.session,
                              x.id, x.queries, draft_from);
    };
  });
}

profiler_actor spawn_profiler(caf::actor_system& sys, const agent_config& config,
                              const gateway_actor& gateway) {
  return spawn_llm_agent<profiler_actor>(sys, config, gateway, [](auto self) {
    return [self](const profile_request& x) -> caf::result<insight> {
      auto& st = self->state;
      if (st.config.model.empty())
        return insight{x.verdict.profile, {}};
      return ask_model<insight>(self, st.gateway, st.config, render_prompt(st.config, x), x.session,
                                x.id, 1, [](llm_answer& answer) {
                                  return insight{std::move(answer.text), answer.cost};
                                });
    };
  });
}

} // namespace lathe::actors
