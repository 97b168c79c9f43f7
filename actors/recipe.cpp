#include "actors/recipe.hpp"

#include <caf/actor_system.hpp>
#include <caf/typed_event_based_actor.hpp>

namespace lathe::actors {

recipe_actor spawn_recipe(caf::actor_system& sys, const agent_config& config,
                          const evaluator_actor& evaluator) {
  return sys.spawn([config, evaluator](recipe_actor::pointer self) -> recipe_actor::behavior_type {
    return {
      [self, config, evaluator](recipe_request& x) {
        x.passes = config.passes;
        x.own_passes = config.own_passes;
        return self->delegate(evaluator, std::move(x));
      },
    };
  });
}

} // namespace lathe::actors
