#pragma once

#include "messages/enum_names.hpp"

#include <caf/is_error_code_enum.hpp>
#include <caf/type_id.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

// -- names for ids ----------------------------------------------------------------

namespace lathe {

/// Names a session within a run: the name of its task.
using session_id = std::string;

/// Numbers a session's requests, from 1.
using request_id = std::uint64_t;

/// Names a candidate within a session: `coder#3` is the third candidate that agent `coder` made.
using candidate_id = std::string;

} // namespace lathe

// -- forward declarations -----------------------------------------------------------

namespace lathe {

enum class errc : std::uint8_t;
enum class lease_kind : std::uint8_t;
enum class outcome : std::uint8_t;
enum class provider_kind : std::uint8_t;
enum class role : std::uint8_t;

struct account_status;
struct agent_config;
struct assignment;
struct attempt_note;
struct baseline;
struct budget_config;
struct candidate;
struct correctness;
struct device_work;
struct draft;
struct environment;
struct evaluation_request;
struct evaluator_config;
struct fix_request;
struct follow_up;
struct idea_list;
struct insight;
struct journal_append;
struct journal_content;
struct journal_record;
struct lease;
struct lease_release;
struct lease_request;
struct lease_span;
struct llm_answer;
struct llm_request;
struct model_config;
struct parent;
struct payer;
struct plan_request;
struct pool_status;
struct pool_update;
struct prepare_request;
struct profile_request;
struct recipe_book;
struct recipe_request;
struct roofline;
struct route;
struct search_config;
struct session_status;
struct session_update;
struct spend;
struct spend_limit;
struct stage_cost;
struct task;
struct task_profile;
struct task_release;
struct timing;
struct token_prices;
struct topology;
struct tried_recipe;
struct verdict;

} // namespace lathe

// -- the one type-id block ------------------------------------------------------------
// The wire carries these numbers: append at the end, never reorder, never remove.

// clang-format off
CAF_BEGIN_TYPE_ID_BLOCK(lathe, first_custom_type_id)

  CAF_ADD_TYPE_ID(lathe, (lathe::errc))
  CAF_ADD_TYPE_ID(lathe, (lathe::lease_kind))
  CAF_ADD_TYPE_ID(lathe, (lathe::outcome))
  CAF_ADD_TYPE_ID(lathe, (lathe::role))
  CAF_ADD_TYPE_ID(lathe, (lathe::agent_config))
  CAF_ADD_TYPE_ID(lathe, (lathe::assignment))
  CAF_ADD_TYPE_ID(lathe, (lathe::attempt_note))
  CAF_ADD_TYPE_ID(lathe, (lathe::baseline))
  CAF_ADD_TYPE_ID(lathe, (lathe::candidate))
  CAF_ADD_TYPE_ID(lathe, (lathe::correctness))
  CAF_ADD_TYPE_ID(lathe, (lathe::draft))
  CAF_ADD_TYPE_ID(lathe, (lathe::environment))
  CAF_ADD_TYPE_ID(lathe, (lathe::evaluation_request))
  CAF_ADD_TYPE_ID(lathe, (lathe::fix_request))
  CAF_ADD_TYPE_ID(lathe, (lathe::idea_list))
  CAF_ADD_TYPE_ID(lathe, (lathe::insight))
  CAF_ADD_TYPE_ID(lathe, (lathe::journal_append))
  CAF_ADD_TYPE_ID(lathe, (lathe::journal_content))
  CAF_ADD_TYPE_ID(lathe, (lathe::journal_record))
  CAF_ADD_TYPE_ID(lathe, (lathe::lease))
  CAF_ADD_TYPE_ID(lathe, (lathe::lease_release))
  CAF_ADD_TYPE_ID(lathe, (lathe::lease_request))
  CAF_ADD_TYPE_ID(lathe, (lathe::llm_answer))
  CAF_ADD_TYPE_ID(lathe, (lathe::llm_request))
  CAF_ADD_TYPE_ID(lathe, (lathe::parent))
  CAF_ADD_TYPE_ID(lathe, (lathe::plan_request))
  CAF_ADD_TYPE_ID(lathe, (lathe::pool_status))
  CAF_ADD_TYPE_ID(lathe, (lathe::pool_update))
  CAF_ADD_TYPE_ID(lathe, (lathe::prepare_request))
  CAF_ADD_TYPE_ID(lathe, (lathe::profile_request))
  CAF_ADD_TYPE_ID(lathe, (lathe::recipe_book))
  CAF_ADD_TYPE_ID(lathe, (lathe::recipe_request))
  CAF_ADD_TYPE_ID(lathe, (lathe::session_status))
  CAF_ADD_TYPE_ID(lathe, (lathe::spend))
  CAF_ADD_TYPE_ID(lathe, (lathe::stage_cost))
  CAF_ADD_TYPE_ID(lathe, (lathe::task))
  CAF_ADD_TYPE_ID(lathe, (lathe::task_profile))
  CAF_ADD_TYPE_ID(lathe, (lathe::task_release))
  CAF_ADD_TYPE_ID(lathe, (lathe::timing))
  CAF_ADD_TYPE_ID(lathe, (lathe::verdict))
  CAF_ADD_TYPE_ID(lathe, (std::vector<lathe::attempt_note>))
  CAF_ADD_TYPE_ID(lathe, (std::vector<lathe::baseline>))
  CAF_ADD_TYPE_ID(lathe, (std::vector<lathe::draft>))
  CAF_ADD_TYPE_ID(lathe, (std::vector<lathe::journal_content>))
  CAF_ADD_TYPE_ID(lathe, (std::vector<lathe::journal_record>))
  CAF_ADD_TYPE_ID(lathe, (std::vector<lathe::parent>))
  CAF_ADD_TYPE_ID(lathe, (std::vector<lathe::stage_cost>))

  CAF_ADD_TYPE_ID(lathe, (lathe::budget_config))
  CAF_ADD_TYPE_ID(lathe, (lathe::evaluator_config))
  CAF_ADD_TYPE_ID(lathe, (lathe::model_config))
  CAF_ADD_TYPE_ID(lathe, (lathe::provider_kind))
  CAF_ADD_TYPE_ID(lathe, (lathe::route))
  CAF_ADD_TYPE_ID(lathe, (lathe::search_config))
  CAF_ADD_TYPE_ID(lathe, (lathe::topology))
  CAF_ADD_TYPE_ID(lathe, (lathe::session_update))

  CAF_ADD_ATOM(lathe, lathe, drain_atom)
  CAF_ADD_ATOM(lathe, lathe, flush_atom)
  CAF_ADD_ATOM(lathe, lathe, start_atom)
  CAF_ADD_ATOM(lathe, lathe, status_atom)
  CAF_ADD_ATOM(lathe, lathe, stop_atom)

  CAF_ADD_TYPE_ID(lathe, (lathe::device_work))
  CAF_ADD_TYPE_ID(lathe, (lathe::lease_span))
  CAF_ADD_TYPE_ID(lathe, (lathe::roofline))
  CAF_ADD_TYPE_ID(lathe, (lathe::tried_recipe))
  CAF_ADD_TYPE_ID(lathe, (lathe::follow_up))

  CAF_ADD_TYPE_ID(lathe, (lathe::account_status))
  CAF_ADD_TYPE_ID(lathe, (lathe::payer))
  CAF_ADD_TYPE_ID(lathe, (lathe::spend_limit))
  CAF_ADD_TYPE_ID(lathe, (lathe::token_prices))
  CAF_ADD_TYPE_ID(lathe, (std::vector<lathe::account_status>))

CAF_END_TYPE_ID_BLOCK(lathe)
// clang-format on

CAF_ERROR_CODE_ENUM(lathe::errc)
