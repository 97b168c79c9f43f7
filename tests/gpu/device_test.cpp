#include "gpu/device.hpp"

#include "messages/error.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace lathe;
using namespace lathe::gpu;
using testing::HasSubstr;

namespace {

class two_cards : public nvml {
public:
  const std::vector<gpu_card>& cards() const override {
    return cards_;
  }

  caf::expected<std::vector<gpu_process>> processes(std::size_t) const override {
    return std::vector<gpu_process>{};
  }

  caf::expected<std::uint64_t> used_memory(std::size_t) const override {
    return std::uint64_t{0};
  }

private:
  std::vector<gpu_card> cards_ = {{"first", "GPU-a", 0}, {"second", "GPU-b", 7}};
};

} // namespace

TEST(device, the_cpu_needs_no_files_and_shows_no_gpu) {
  auto found = find_device("cpu");
  ASSERT_TRUE(found);
  EXPECT_FALSE(found->cuda);
  EXPECT_EQ(found->name(), "cpu");
  EXPECT_TRUE(found->files().empty());
  EXPECT_EQ(found->visible(), "");
}

TEST(device, a_worker_is_shown_one_gpu_by_its_uuid) {
  gpu::device second{true, 1, std::make_shared<two_cards>()};
  EXPECT_EQ(second.name(), "cuda:1");
  EXPECT_EQ(second.visible(), "GPU-b");
}

TEST(device, stand_ins_have_names_of_their_own) {
  auto found = gpu::find_devices("cpu:2");
  ASSERT_TRUE(found);
  ASSERT_EQ(found->size(), 2u);
  EXPECT_EQ(found->front().name(), "cpu");
  EXPECT_EQ(found->back().name(), "cpu:1");
}

TEST(device, a_name_that_is_none_is_the_users_mistake) {
  auto found = find_device("gpu7");
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error(), errc::user_error);
  EXPECT_EQ(describe(found.error()),
            "there is no device 'gpu7'; use auto, cpu, cuda, cuda:N, cuda:N,M,... or cuda:all");
}

TEST(device, a_gpu_that_is_not_there_is_the_environments_lack) {
  auto found = find_device("cuda:4096");
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error(), errc::environment_error);
  EXPECT_THAT(describe(found.error()), HasSubstr("device cuda:4096: "));
}
