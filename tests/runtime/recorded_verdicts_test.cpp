#include "runtime/recorded_verdicts.hpp"

#include <gtest/gtest.h>

using namespace lathe;
using namespace lathe::actors;
using runtime::recorded_verdicts;

namespace {

verdict judged(outcome how) {
  verdict result;
  result.outcome = how;
  return result;
}

request_issued issued(request_id id, bool confirm) {
  request_issued result;
  result.id = id;
  result.confirm = confirm;
  return result;
}

runtime::session_past past_with(std::vector<session_event> events) {
  runtime::session_past result;
  result.events = std::move(events);
  result.texts = {{"h1", "first text"}, {"h2", "second text"}};
  return result;
}

const auto here = environment{"cpu, 1 thread", "torch 2.11", "", ""};

task_prepared prepared(const environment& where) {
  task_prepared result;
  result.profile.where = where;
  return result;
}

const auto two_drafts =
  drafts_received{1, {{"coder#1", "h1", "", ""}, {"coder#2", "h2", "", ""}}, {}, {}};

} // namespace

TEST(recorded_verdicts, come_with_the_text_that_was_judged) {
  auto found =
    recorded_verdicts(past_with({prepared(here), two_drafts, issued(2, false),
                                 verdict_received{2, "coder#2", judged(outcome::crashed)}}),
                      here);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].source, "second text");
  EXPECT_EQ(found[0].verdict.outcome, outcome::crashed);
}

TEST(recorded_verdicts, leave_confirmations_out) {
  auto found =
    recorded_verdicts(past_with({prepared(here), two_drafts, issued(2, true),
                                 verdict_received{2, "coder#1", judged(outcome::correct)}}),
                      here);
  EXPECT_TRUE(found.empty());
}

TEST(recorded_verdicts, need_the_text) {
  auto found =
    recorded_verdicts(past_with({prepared(here), issued(2, false),
                                 verdict_received{2, "coder#7", judged(outcome::correct)}}),
                      here);
  EXPECT_TRUE(found.empty());
}

TEST(recorded_verdicts, of_another_machine_do_not_count) {
  auto elsewhere = environment{"cuda:0, NVIDIA H100", "torch 2.11", "", ""};
  auto found =
    recorded_verdicts(past_with({prepared(elsewhere), two_drafts, issued(2, false),
                                 verdict_received{2, "coder#2", judged(outcome::crashed)}}),
                      here);
  EXPECT_TRUE(found.empty());
}
