#include "messages/device_name.hpp"

#include <gtest/gtest.h>

using namespace lathe;
using kind = device_name::kind;

TEST(device_name, devices_have_the_names_that_torch_gives_them) {
  EXPECT_EQ(parse_device_name("auto")->what, kind::automatic);
  EXPECT_EQ(parse_device_name("cpu")->what, kind::cpu);
  EXPECT_EQ(parse_device_name("cuda")->what, kind::cuda);
  EXPECT_EQ(parse_device_name("cuda")->cards, (std::vector<std::size_t>{0}));
  EXPECT_EQ(parse_device_name("cuda:12")->cards, (std::vector<std::size_t>{12}));
  EXPECT_EQ(parse_device_name("cuda:0,2")->cards, (std::vector<std::size_t>{0, 2}));
  EXPECT_EQ(parse_device_name("cuda:all")->what, kind::all_cuda);
  EXPECT_EQ(parse_device_name("cpu:2")->count, 2u);
}

TEST(device_name, anything_else_is_none) {
  for (auto* text : {"", "gpu", "CUDA", "cuda:", "cuda:x", "cuda:1x", "cuda:-1", "cuda1",
                     "cuda:99999999999999999999"})
    EXPECT_FALSE(parse_device_name(text)) << text;
}
