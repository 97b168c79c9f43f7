#include "gpu/seats.hpp"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace lathe::gpu::testing {

TEST(seats, who_wants_all_of_them_is_not_passed_by_those_who_come_later) {
  seats room{2};
  std::optional<seats::seat> first{room.take()};
  std::vector<std::string> served; // by whoever has a seat that the other one waits for
  std::thread all{[&] {
    auto mine = room.take_all();
    served.emplace_back("all");
  }};
  while (room.waiting() < 1)
    std::this_thread::yield();
  std::thread one{[&] {
    auto mine = room.take();
    served.emplace_back("one");
  }};
  while (room.waiting() < 2) // although a seat is free
    std::this_thread::yield();
  EXPECT_TRUE(served.empty());
  first.reset();
  all.join();
  one.join();
  EXPECT_EQ(served, (std::vector<std::string>{"all", "one"}));
}

TEST(seats, a_seat_that_is_handed_on_is_given_back_once) {
  seats room{2};
  {
    auto first = room.take();
    auto second = room.take();
    first = std::move(second);
  }
  auto everything = room.take_all();
  EXPECT_EQ(room.waiting(), 0u);
}

} // namespace lathe::gpu::testing
