#include "gpu/inputs_ahead.hpp"
#include "gpu/processes/shared_memory.hpp"
#include "tests/gpu/processes/process_fixture.hpp"

#include <set>

namespace lathe::gpu::testing {

namespace {

constexpr std::string_view task = R"(
import torch

class ModelNew(torch.nn.Module):
    pass

def get_inputs():
    return [torch.rand(100)]
)";

const std::vector<planned_draw> plans{{3}, {1}, {4}, {1}, {5}, {9}, {2}, {6}};

class inputs_ahead_test : public process_fixture {
protected:
  static site_worker drawing() {
    site_worker result;
    result.process = spawn();
    load(*result.process, task);
    return result;
  }

  static std::string content(const reply& drawn) {
    std::string result(4096, '\0');
    auto size = ::pread(drawn.fds.at(0).get(), result.data(), result.size(), 0);
    result.resize(static_cast<std::size_t>(std::max<ssize_t>(0, size)));
    return result;
  }

  static std::string drawn_alone(std::int64_t seed) {
    return content(drawing().process->call({{"op", "draw"}, {"seed", seed}}, {}, 60s));
  }
};

} // namespace

TEST_F(inputs_ahead_test, draws_come_in_the_order_of_their_seeds) {
  std::vector<site_worker> workers;
  workers.push_back(drawing());
  workers.push_back(drawing());
  inputs_ahead draws{std::move(workers), plans, 60s};
  std::vector<std::string> found;
  for (std::size_t i = 0; i < plans.size(); ++i) {
    auto given = draws.next();
    ASSERT_TRUE(given.ok()) << given.problem().message;
    found.push_back(content(given));
  }
  EXPECT_EQ(found.front(), drawn_alone(3));
  EXPECT_EQ(found[1], found[3]);
  EXPECT_EQ(std::set(found.begin(), found.end()).size(), plans.size() - 1);
}

TEST_F(inputs_ahead_test, who_breaks_leaves_the_rest_to_the_others) {
  std::vector<site_worker> workers;
  workers.push_back(drawing());
  workers.push_back(drawing());
  workers.front().process->kill();
  inputs_ahead draws{std::move(workers), plans, 60s};
  int broken = 0;
  for (std::size_t i = 0; i < plans.size(); ++i)
    broken += draws.next().ok() ? 0 : 1;
  EXPECT_LE(broken, 1); // none, where the other one was quicker
}

TEST_F(inputs_ahead_test, nobody_waits_for_a_draw_that_nobody_makes) {
  std::vector<site_worker> workers;
  workers.push_back(drawing());
  workers.front().process->kill();
  inputs_ahead draws{std::move(workers), plans, 60s};
  EXPECT_FALSE(draws.next().ok());
  EXPECT_FALSE(draws.next().ok());
}

TEST_F(inputs_ahead_test, what_is_drawn_in_vain_is_ended) {
  std::vector<site_worker> workers;
  workers.push_back(drawing());
  inputs_ahead draws{std::move(workers), plans, 60s};
  EXPECT_TRUE(draws.next().ok());
}

} // namespace lathe::gpu::testing
