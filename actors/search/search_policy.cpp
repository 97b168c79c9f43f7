#include "actors/search/search_policy.hpp"

#include "actors/search/best_of.hpp"
#include "actors/search/branching.hpp"

namespace lathe::actors {

std::unique_ptr<search_policy> make_search_policy(const search_config& config) {
  if (config.policy == "branching")
    return std::make_unique<branching>(config.population, config.parents);
  if (config.policy == "best_of")
    return std::make_unique<best_of>(config.samples);
  return nullptr;
}

const std::vector<std::string>& search_policy_names() {
  static const std::vector<std::string> names = {"branching", "best_of"};
  return names;
}

} // namespace lathe::actors
