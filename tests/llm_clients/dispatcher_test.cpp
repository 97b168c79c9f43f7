#include "llm_clients/dispatcher.hpp"

#include "messages/error.hpp"

#include <gmock/gmock.h>

#include <random>

using namespace lathe;
using llm_clients::call_id;
using llm_clients::dispatcher;
using llm_clients::failure;
using llm_clients::model_limits;
using llm_clients::spending_limits;
using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;

namespace {

dispatcher::job job(call_id id, std::string model = "strong", std::string session = "mlp",
                    double worst = 0) {
  spend most;
  most.usd = worst;
  return {id, {std::move(session), "coder", std::move(model)}, most, {}};
}

constexpr dispatcher::time_point start{std::chrono::hours{1}};

dispatcher make(std::int32_t in_flight, budget_config budget = {}, std::size_t max_waiting = 100) {
  dispatcher result{spending_limits{budget}, max_waiting};
  model_limits limits;
  limits.in_flight = in_flight;
  result.add_model("strong", limits, "api.example");
  result.add_model("cheap", limits, "api.example");
  return result;
}

void push(dispatcher& x, dispatcher::job y) {
  EXPECT_FALSE(x.push(std::move(y)));
}

// What goes out now, in order.
std::vector<call_id> drain(dispatcher& x, dispatcher::time_point now = start) {
  std::vector<call_id> result;
  while (auto step = x.next(now))
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
  EXPECT_TRUE(x.fail(start, 1, {}, {}, false, 0));
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
  x.fail(start, 1, {}, {}, false, 0);
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

TEST(dispatcher, a_session_with_many_questions_holds_up_no_other) {
  auto x = make(1);
  for (call_id id : {1, 2, 3})
    push(x, job(id));
  push(x, job(4, "strong", "scan"));
  EXPECT_THAT(drain(x), ElementsAre(1));
  x.settle(1, {});
  EXPECT_THAT(drain(x), ElementsAre(4));
}

TEST(dispatcher, a_call_that_is_withdrawn_frees_its_place) {
  auto x = make(1, {0, 1.0, 0});
  push(x, job(1, "strong", "mlp", 0.8));
  push(x, job(2, "strong", "mlp", 0.8));
  drain(x);
  EXPECT_TRUE(x.withdraw(1, {}));
  EXPECT_FALSE(x.withdraw(1, {}));
  EXPECT_THAT(drain(x), ElementsAre(2));
  EXPECT_TRUE(x.withdraw(2, {0, 0, 0, 0, 0.8}));
  EXPECT_EQ(x.money().spent({"mlp", {}, {}}).usd, 0.8);
}

TEST(dispatcher, a_call_that_no_longer_fits_is_refused_with_what_was_spent) {
  auto x = make(1, {0, 1.0, 0});
  push(x, job(1, "strong", "mlp", 0.8));
  push(x, job(2, "strong", "mlp", 0.8));
  drain(x);
  x.settle(1, {1, 0, 0, 0, 0.5});
  auto step = x.next(start);
  ASSERT_TRUE(step);
  EXPECT_EQ(step->refusal, errc::budget_exhausted);
  EXPECT_THAT(describe(step->refusal),
              HasSubstr("task 'mlp' has spent 1 queries, 0 tokens and $0.5000 of $1.00; another "
                        "call, which may cost $0.8000, does not fit"));
  EXPECT_FALSE(x.next(start));
}

TEST(dispatcher, a_call_ends_once) {
  auto x = make(1);
  push(x, job(1));
  drain(x);
  EXPECT_TRUE(x.settle(1, {}));
  EXPECT_FALSE(x.settle(1, {}));
  EXPECT_FALSE(x.fail(start, 1, {}, {}, false, 0));
  EXPECT_FALSE(x.fail(start, 99, {}, {}, false, 0));
}

TEST(dispatcher, a_closed_model_hands_back_what_waits) {
  auto x = make(1);
  for (call_id id : {1, 2, 3})
    push(x, job(id));
  push(x, job(4, "cheap"));
  EXPECT_EQ(x.next(start)->id, 4u); // models in the order of their names
  EXPECT_EQ(x.next(start)->id, 1u);
  EXPECT_THAT(x.drop_waiting("strong"), ElementsAre(2, 3));
  EXPECT_FALSE(x.next(start));
}

TEST(dispatcher, a_minutes_limit_is_waited_for) {
  auto x = make(10);
  model_limits limits;
  limits.requests_per_minute = 2;
  x.add_model("slow", limits, "slow.example");
  for (call_id id : {1, 2, 3})
    push(x, job(id, "slow"));
  push(x, job(4, "strong"));
  EXPECT_THAT(drain(x), testing::UnorderedElementsAre(1, 2, 4));
  ASSERT_TRUE(x.wakes_at());
  EXPECT_GE(*x.wakes_at(), start + 60s);
  EXPECT_THAT(drain(x, *x.wakes_at()), ElementsAre(3));
  EXPECT_FALSE(x.wakes_at());
}

TEST(dispatcher, a_refusal_holds_up_its_model_for_as_long_as_the_server_says) {
  auto x = make(10);
  push(x, job(1));
  drain(x);
  failure slowly;
  slowly.status = 429;
  slowly.retry_after = 7s;
  x.fail(start, 1, slowly, {}, false, 0);
  push(x, job(2));
  push(x, job(3, "cheap"));
  EXPECT_THAT(drain(x), ElementsAre(3));
  EXPECT_EQ(x.wakes_at(), start + 7s);
  EXPECT_THAT(drain(x, start + 7s), ElementsAre(2));
  EXPECT_FALSE(x.is_left_alone("strong", start));
  slowly.retry_after = 1h;
  x.fail(start + 7s, 2, slowly, {}, false, 0);
  EXPECT_TRUE(x.is_left_alone("strong", start + 8s)) << "for long";
}

TEST(dispatcher, tokens_of_input_and_output_have_limits_of_their_own) {
  auto x = make(10);
  model_limits input;
  input.input_tokens_per_minute = 1000;
  x.add_model("reads", input, "api.example");
  model_limits output;
  output.output_tokens_per_minute = 1000;
  x.add_model("writes", output, "api.example");
  for (call_id id : {1, 2})
    for (auto* model : {"reads", "writes"}) {
      auto each = job(*model == 'r' ? id : id + 10, model);
      each.tokens = {*model == 'r' ? 600 : 6000, *model == 'r' ? 6000 : 600};
      push(x, each);
    }
  EXPECT_THAT(drain(x), ElementsAre(1, 11));
  EXPECT_THAT(drain(x, start + 61s), ElementsAre(2, 12));
}

TEST(dispatcher, among_questions_of_a_session_the_higher_priority_goes_first) {
  auto x = make(1);
  auto urgent = job(3);
  urgent.priority = 5;
  push(x, job(1));
  push(x, job(2));
  push(x, urgent);
  std::vector<call_id> order;
  while (auto step = x.next(start)) {
    order.push_back(step->id);
    x.settle(step->id, {});
  }
  EXPECT_THAT(order, ElementsAre(3, 1, 2));
}

TEST(dispatcher, a_server_that_is_not_there_is_not_there_for_any_of_its_models) {
  auto x = make(10);
  x.add_model("elsewhere", {}, "other.example");
  for (call_id id = 1; id <= 5; ++id) {
    push(x, job(id));
    drain(x);
    x.fail(start, id, {}, {}, true, 0.999);
  }
  EXPECT_TRUE(x.is_left_alone("strong", start));
  EXPECT_TRUE(x.is_left_alone("cheap", start)) << "it is at the same server";
  EXPECT_FALSE(x.is_left_alone("elsewhere", start));
  push(x, job(6, "cheap"));
  push(x, job(7, "strong"));
  EXPECT_THAT(drain(x), ElementsAre());
  auto trial = *x.wakes_at();
  EXPECT_THAT(drain(x, trial), ElementsAre(6)) << "one finds out for both";
  x.settle(6, {});
  EXPECT_THAT(drain(x, trial), ElementsAre(7));
}

TEST(dispatcher, a_model_that_keeps_failing_says_nothing_of_others_at_its_server) {
  auto x = make(10);
  failure overloaded;
  overloaded.status = 529;
  for (call_id id = 1; id <= 5; ++id) {
    push(x, job(id));
    drain(x);
    x.fail(start, id, overloaded, {}, true, 0.999);
  }
  EXPECT_TRUE(x.is_left_alone("strong", start));
  EXPECT_FALSE(x.is_left_alone("cheap", start));
}

TEST(dispatcher, a_server_that_keeps_failing_is_left_alone_and_then_tried_once) {
  auto x = make(10);
  for (call_id id = 1; id <= 5; ++id) {
    EXPECT_FALSE(x.is_left_alone("strong", start));
    push(x, job(id));
    drain(x);
    x.fail(start, id, {}, {}, true, 0.999);
  }
  EXPECT_TRUE(x.is_left_alone("strong", start));
  push(x, job(6));
  push(x, job(7));
  EXPECT_THAT(drain(x), ElementsAre());
  ASSERT_TRUE(x.wakes_at());
  auto trial = *x.wakes_at();
  EXPECT_THAT(drain(x, trial), ElementsAre(6));
  EXPECT_TRUE(x.is_left_alone("strong", trial)) << "until it is known";
  EXPECT_FALSE(x.wakes_at()) << "the trial's end decides";
  x.settle(6, {});
  EXPECT_THAT(drain(x, trial), ElementsAre(7));
}

TEST(dispatcher, a_budget_is_used_up_by_many_agents_and_never_exceeded) {
  constexpr int agents = 64;
  constexpr double budget = 1.0;
  constexpr double worst = 0.03;
  for (unsigned seed = 0; seed < 1000; ++seed) {
    std::mt19937 random{seed};
    std::uniform_real_distribution<> cost{0, worst};
    dispatcher x{spending_limits{budget_config{0, budget, 0}}, agents};
    model_limits limits;
    limits.in_flight = agents;
    x.add_model("strong", limits, "api.example");
    std::vector<call_id> out;
    call_id last = 0;
    for (int i = 0; i < agents; ++i)
      push(x, job(++last, "strong", "mlp", worst));
    for (auto refused = false; !refused || !out.empty();) {
      while (auto step = x.next(start)) {
        refused |= bool{step->refusal};
        if (!step->refusal)
          out.push_back(step->id);
      }
      ASSERT_FALSE(out.empty() && !refused) << "somebody waits for nobody";
      if (out.empty())
        break;
      // Any of them ends, at its own price or without an answer, and asks again.
      std::swap(out[random() % out.size()], out.back());
      if (random() % 10 == 0)
        x.fail(start, out.back(), {}, {}, false, 0);
      else
        x.settle(out.back(), {1, 10, 0, 10, cost(random)});
      out.pop_back();
      if (!refused)
        push(x, job(++last, "strong", "mlp", worst));
    }
    auto spent = x.money().spent({"mlp", {}, {}}).usd;
    ASSERT_LE(spent, budget) << seed;
    ASSERT_GE(spent, 0.95 * budget) << seed;
  }
}

TEST(dispatcher, where_a_mailbox_has_all_the_money_nobody_waits_for_it) {
  auto x = make(10, {0, 1.0, 0});
  for (call_id id : {1, 2, 3})
    push(x, job(id, "strong", "mlp", 0.5));
  EXPECT_THAT(drain(x), ElementsAre(1, 2));
  EXPECT_TRUE(x.set_aside(1));
  EXPECT_FALSE(x.next(start)) << "the other call may leave some";
  EXPECT_TRUE(x.set_aside(2));
  EXPECT_FALSE(x.set_aside(3)) << "it is not out";
  auto step = x.next(start);
  ASSERT_TRUE(step);
  EXPECT_EQ(step->id, 3u);
  EXPECT_EQ(step->refusal, errc::awaits_mailbox);
  x.take_up(1);
  x.settle(1, {1, 0, 0, 0, 0.2});
  push(x, job(4, "strong", "mlp", 0.3));
  EXPECT_THAT(drain(x), ElementsAre(4));
}
