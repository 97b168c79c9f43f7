#pragma once

#include "actors/search/search_policy.hpp"

namespace lathe::actors {

/// Asks for a fixed number of independent candidates, each from the task itself.
class best_of : public search_policy {
public:
  explicit best_of(std::int32_t samples) : samples_(samples) {
    // nop
  }

  void add_ideas(std::int32_t count) override;
  void add_correct(const candidate_id& id, double speedup) override;
  void begin(const search_choice& choice) override;
  void conclude() override;
  std::optional<search_choice> choose() const override;

private:
  std::int32_t samples_;
  std::int32_t ideas_ = 0;
  std::int32_t begun_ = 0;
};

} // namespace lathe::actors
