#include "runtime/session_result.hpp"

#include <algorithm>
#include <string_view>

namespace lathe::runtime {

using namespace actors;


const result_row* session_result::best_row() const {
  auto i = std::find_if(rows.begin(), rows.end(), [this](auto& x) { return x.id == best; });
  return i == rows.end() ? nullptr : &*i;
}

const result_row* session_result::best_recipe() const {
  const result_row* result = nullptr;
  for (auto& row : rows)
    if (std::string_view{row.origin}.starts_with("recipe: ") && row.verdict.correct()
        && row.verdict.timing
        && (result == nullptr || row.verdict.timing->speedup > result->verdict.timing->speedup))
      result = &row;
  return result;
}

session_result make_result(const session_state& state) {
  session_result result;
  result.status = state.status();
  result.subject = state.subject();
  result.profile = state.profile().value_or(task_profile{});
  result.declined = state.declined();
  if (state.ended())
    result.reason = state.ended()->reason;
  for (auto& entry : state.candidates())
    if (entry.verdict)
      result.rows.push_back({entry.id, entry.origin, *entry.verdict, entry.confirmed});
  if (auto* best = state.best()) {
    result.best = best->id;
    result.best_source = state.text(best->hash);
  }
  return result;
}

} // namespace lathe::runtime
