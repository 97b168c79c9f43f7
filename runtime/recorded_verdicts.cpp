#include "runtime/recorded_verdicts.hpp"

#include <map>
#include <set>
#include <variant>

namespace lathe::runtime {

std::vector<recorded_verdict> recorded_verdicts(const session_past& past, const environment& here) {
  std::vector<recorded_verdict> result;
  std::map<candidate_id, std::string> hashes;
  std::set<request_id> confirmations;
  auto measured_here = false;
  for (auto& event : past.events) {
    if (auto* received = std::get_if<actors::drafts_received>(&event)) {
      for (auto& draft : received->drafts)
        hashes[draft.id] = draft.hash;
    } else if (auto* prepared = std::get_if<actors::task_prepared>(&event)) {
      auto& where = prepared->profile.where;
      measured_here = where.device == here.device && where.software == here.software;
    } else if (auto* issued = std::get_if<actors::request_issued>(&event)) {
      if (issued->confirm)
        confirmations.insert(issued->id);
    } else if (auto* judged = std::get_if<actors::verdict_received>(&event)) {
      auto text = past.texts.find(hashes[judged->subject]);
      if (measured_here && text != past.texts.end() && !confirmations.contains(judged->id))
        result.push_back({text->second, judged->answer});
    }
  }
  return result;
}

} // namespace lathe::runtime
