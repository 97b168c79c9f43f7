#pragma once

#include "messages/work.hpp"

#include <caf/expected.hpp>

#include <string>

// Prompt templates are Mustache files under configs/prompts. These are their variables:
//
//   every agent   task_name task_source device software judge shapes reference_ms
//                 baselines [name ms]
//   planner       ideas
//   coder         idea, parents [id source ms speedup insight], history [id idea result]
//   fixer         rejected_source outcome evidence attempt attempts_left, history [id idea result]
//   profiler      candidate_source profile ms speedup
//
// Use triple braces: {{{task_source}}} is not escaped.

namespace lathe::actors {

/// Fills a planner's template. Fails with `user_error` when the template does not parse.
caf::expected<std::string> render_prompt(const agent_config& agent, const plan_request& request);

/// Fills a coder's template.
caf::expected<std::string> render_prompt(const agent_config& agent, const assignment& request);

/// Fills a fixer's template.
caf::expected<std::string> render_prompt(const agent_config& agent, const fix_request& request);

/// Fills a profiler's template.
caf::expected<std::string> render_prompt(const agent_config& agent, const profile_request& request);

} // namespace lathe::actors
