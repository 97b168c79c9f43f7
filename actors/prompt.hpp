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
//
// A line `{{!question}}` parts a template: what stands before it is the system message. What is the
// same in all questions about a task belongs there, since providers charge less for what they have
// read before.

namespace lathe::actors {

/// What a model is told.
struct rendered_prompt {
  std::string system; ///< may be empty
  std::string text;
};

/// Fills a planner's template. Fails with `user_error` when the template does not parse.
caf::expected<rendered_prompt> render_prompt(const agent_config& agent,
                                             const plan_request& request);

/// Fills a coder's template.
caf::expected<rendered_prompt> render_prompt(const agent_config& agent, const assignment& request);

/// Fills a fixer's template.
caf::expected<rendered_prompt> render_prompt(const agent_config& agent, const fix_request& request);

/// Fills a profiler's template.
caf::expected<rendered_prompt> render_prompt(const agent_config& agent,
                                             const profile_request& request);

} // namespace lathe::actors
