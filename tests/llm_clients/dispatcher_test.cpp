#include "llm_clients/dispatcher.hpp"

#include "messages/error.hpp"

#include <gmock/gmock.h>

using namespace lathe;
using llm_clients::call_id;
using llm_clients::dispatcher;
using testing::ElementsAre;
using testing::HasSubstr;

namespace {

dispatcher::job job(call_id id, std::string model = "strong", std::string session = "mlp",
                    double worst = 0) {
  return {id, std::move(model), std::move(session), worst};
}

dispatcher make(std::int32_t in_flight, budget_config budget = {}, std::size_t max_waiting = 100) {
  dispatcher result{budget, max_waiting};
  result.add_model("strong", in_flight);
  result.add_model("cheap", in_flight);
  return result;
}

void push(dispatcher& x, dispatcher::job y) {
  EXPECT_FALSE(x.push(std::move(y)));
}

// What goes out now, in order.
std::vector<call_id> drain(dispatcher& x) {
  std::vector<call_id> result;
  while (auto step = x.next())
    result.push_back(step->id);
  return result;
}

} // namespace

TEST(dispatcher, so_many_calls_of_a_model_are_out_at_once) {
  auto x = make(2);
  for (call_id id : {1, 2, 3})
    push(x, job(id));
  push(x, job(4, "cheap"));
  EXPECT_THAT(drain(x), testing::UnorderedElementsAre(1, 2, 4));
  EXPECT_TRUE(x.release(1));
  EXPECT_THAT(drain(x), ElementsAre(3));
}

TEST(dispatcher, a_full_queue_says_overloaded) {
  auto x = make(1, {}, 2);
  push(x, job(1));
  push(x, job(2));
  EXPECT_EQ(x.push(job(3)), errc::overloaded);
  push(x, job(4, "cheap"));
}

TEST(dispatcher, a_call_that_comes_back_goes_first_and_is_never_refused) {
  auto x = make(1, {}, 1);
  push(x, job(1));
  EXPECT_THAT(drain(x), ElementsAre(1));
  push(x, job(2));
  x.release(1);
  x.push_again(job(1));
  EXPECT_THAT(drain(x), ElementsAre(1));
}

TEST(dispatcher, a_session_that_waits_for_money_holds_up_no_other) {
  auto x = make(10, {0, 1.0, 0});
  push(x, job(1, "strong", "mlp", 0.8));
  push(x, job(2, "strong", "mlp", 0.8));
  push(x, job(3, "strong", "scan", 0.8));
  EXPECT_THAT(drain(x), ElementsAre(1, 3));
  x.settle(1, {1, 0, 0, 0, 0.1});
  EXPECT_THAT(drain(x), ElementsAre(2));
}

TEST(dispatcher, a_call_that_no_longer_fits_is_refused_with_what_was_spent) {
  auto x = make(1, {0, 1.0, 0});
  push(x, job(1, "strong", "mlp", 0.8));
  push(x, job(2, "strong", "mlp", 0.8));
  drain(x);
  x.settle(1, {1, 0, 0, 0, 0.5});
  auto step = x.next();
  ASSERT_TRUE(step);
  EXPECT_EQ(step->refusal, errc::budget_exhausted);
  EXPECT_THAT(describe(step->refusal), HasSubstr("'mlp' has spent 1 queries and $0.5000 of $1.00"));
  EXPECT_FALSE(x.next());
}

TEST(dispatcher, a_call_ends_once) {
  auto x = make(1);
  push(x, job(1));
  drain(x);
  EXPECT_TRUE(x.settle(1, {}));
  EXPECT_FALSE(x.settle(1, {}));
  EXPECT_FALSE(x.release(1));
  EXPECT_FALSE(x.release(99));
}

TEST(dispatcher, a_closed_model_hands_back_what_waits) {
  auto x = make(1);
  for (call_id id : {1, 2, 3})
    push(x, job(id));
  push(x, job(4, "cheap"));
  EXPECT_EQ(x.next()->id, 4u); // models in the order of their names
  EXPECT_EQ(x.next()->id, 1u);
  EXPECT_THAT(x.drop_waiting("strong"), ElementsAre(2, 3));
  EXPECT_FALSE(x.next());
}
