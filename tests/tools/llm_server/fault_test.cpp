#include "tools/llm_server/fault.hpp"

#include <gtest/gtest.h>

using namespace lathe::llm_server;

TEST(fault, plain_names_are_read) {
  EXPECT_EQ(parse_fault("none")->kind, fault_kind::none);
  EXPECT_EQ(parse_fault("reset")->kind, fault_kind::reset);
  EXPECT_EQ(parse_fault("cut")->kind, fault_kind::cut);
  EXPECT_EQ(parse_fault("invalid-json")->kind, fault_kind::invalid_json);
  EXPECT_EQ(parse_fault("large")->kind, fault_kind::large);
  EXPECT_EQ(parse_fault("slow-body")->kind, fault_kind::slow_body);
  EXPECT_EQ(parse_fault("hang")->kind, fault_kind::hang);
}

TEST(fault, a_status_can_have_a_page_and_a_time) {
  EXPECT_EQ(parse_fault("status:529")->status, 529u);
  auto both = parse_fault("status:502-html,retry-after:20");
  EXPECT_EQ(both->status, 502u);
  EXPECT_TRUE(both->html);
  EXPECT_EQ(both->retry_after, 20u);
  EXPECT_FALSE(parse_fault("status:429")->retry_after);
}

TEST(fault, anything_else_is_refused) {
  for (auto text : {"", "status", "status:", "status:200", "status:600", "status:42", "status:4290",
                    "status:429,", "status:429,retry-after:", "status:429,retry-after:x",
                    "status:502-htm", "Reset", "cut "})
    EXPECT_FALSE(parse_fault(text)) << text;
}
