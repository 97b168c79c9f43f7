#include "llm_clients/replay_provider.hpp"

#include "llm_clients/io_thread.hpp"
#include "llm_clients/provider_factory.hpp"

#include <gmock/gmock.h>

#include <cmath>
#include <future>
#include <mutex>
#include <set>
#include <thread>

using namespace lathe;
using namespace lathe::llm_clients;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;

namespace {

llm_request question(std::string prompt, request_id request = 1) {
  return {"mlp", request, "coder#2", "coder", "strong", "You write kernels.", std::move(prompt)};
}

llm_answer answer(std::string text, double seconds = 0) {
  llm_answer result;
  result.text = std::move(text);
  result.seconds = seconds;
  return result;
}

// Builds what a recording run would have left.
class tape {
public:
  tape& add(llm_request asked, reply outcome, std::uint64_t attempt = 1) {
    recorded_exchange x;
    x.hash = question_hash(asked);
    x.attempt = attempt;
    x.asked = content_.exchanges.size() + 1;
    x.question = std::move(asked);
    x.outcome = std::move(outcome);
    content_.exchanges.push_back(std::move(x));
    return *this;
  }

  playback play(replay_by by = replay_by::question, std::vector<secret> keys = {}) const {
    return {content_, by, std::move(keys)};
  }

  cassette& content() {
    return content_;
  }

private:
  cassette content_;
};

std::string text_of(const reply& x) {
  auto found = std::get_if<llm_answer>(&x);
  return found ? found->text : "no answer: " + std::get<failure>(x).sentence;
}

std::string miss(playback& x, const llm_request& asked) {
  auto outcome = x.answer(asked);
  auto found = std::get_if<failure>(&outcome);
  if (!found)
    return "answered: " + text_of(outcome);
  EXPECT_EQ(found->kind, failure_kind::refuse);
  return found->sentence;
}

std::future<reply> ask(provider& x, const llm_request& asked) {
  auto promise = std::make_shared<std::promise<reply>>();
  x.ask(asked, completion{[promise](reply y) { promise->set_value(std::move(y)); }});
  return promise->get_future();
}

} // namespace

// -- by question ------------------------------------------------------------------------

TEST(playback, a_question_gets_its_answer_whoever_asks) {
  auto x = tape{}.add(question("a"), answer("A")).add(question("b"), answer("B")).play();
  auto other = question("b", 99);
  other.session = "scan";
  other.agent = "fixer";
  EXPECT_EQ(text_of(x.answer(other)), "B");
  EXPECT_EQ(text_of(x.answer(question("a"))), "A");
}

TEST(playback, the_same_question_twice_gets_two_answers_in_the_order_of_asking) {
  auto x = tape{}.add(question("a"), answer("2"), 2).add(question("a"), answer("1"), 1).play();
  EXPECT_EQ(text_of(x.answer(question("a"))), "1");
  EXPECT_EQ(text_of(x.answer(question("a"))), "2");
  EXPECT_THAT(miss(x, question("a", 5)),
              EndsWith("request 5 of agent 'coder#2' in session 'mlp': it was asked 2 times in the "
                       "recording, and now once more"));
}

TEST(playback, a_question_that_a_crash_left_without_a_reply_is_skipped) {
  auto x = tape{}.add(question("a"), answer("2"), 2).add(question("a"), answer("4"), 4).play();
  EXPECT_EQ(text_of(x.answer(question("a"))), "2");
  EXPECT_EQ(text_of(x.answer(question("a"))), "4");
}

TEST(playback, a_failure_comes_back_as_the_failure_it_was) {
  failure busy{failure_kind::retry, "busy", std::chrono::milliseconds{250}, true, false};
  auto x = tape{}.add(question("a"), busy).add(question("a"), answer("A"), 2).play();
  auto first = std::get<failure>(x.answer(question("a")));
  EXPECT_EQ(first.kind, failure_kind::retry);
  EXPECT_EQ(first.sentence, "busy");
  EXPECT_EQ(first.retry_after, std::chrono::milliseconds{250});
  EXPECT_TRUE(first.may_be_charged);
  EXPECT_EQ(text_of(x.answer(question("a"))), "A");
}

TEST(playback, bytes_that_are_not_utf_8_do_not_hide_a_question) {
  kept_text kept{{}};
  auto x = tape{}.add(kept.of(question("a\xFF")), answer("A")).play();
  EXPECT_EQ(text_of(x.answer(question("a\xFF"))), "A");
}

TEST(playback, a_prompt_that_quotes_a_masked_answer_is_found) {
  secret key{"sk-0123456789"};
  auto x = tape{}
             .add(question("fix: [secret]"), answer("1"))
             .add(question("fix: [secret]"), answer("2"), 2)
             .play(replay_by::question, {key});
  EXPECT_EQ(text_of(x.answer(question("fix: [secret]"))), "1");
  EXPECT_EQ(text_of(x.answer(question("fix: " + key.reveal()))), "2");
  EXPECT_THAT(miss(x, question("break: " + key.reveal())), Not(HasSubstr(key.reveal())));
}

TEST(playback, threads_get_each_answer_once) {
  tape recorded;
  for (std::uint64_t i = 1; i <= 400; ++i)
    recorded.add(question("a"), answer(std::to_string(i)), i);
  auto x = recorded.play();
  std::mutex mutex;
  std::set<std::string> got;
  auto work = [&] {
    for (int i = 0; i < 100; ++i) {
      auto text = text_of(x.answer(question("a")));
      std::lock_guard guard{mutex};
      got.insert(text);
    }
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back(work);
  for (auto& thread : threads)
    thread.join();
  EXPECT_EQ(got.size(), 400u);
}

// -- by order ---------------------------------------------------------------------------

TEST(playback, by_order_a_changed_question_gets_the_next_answer) {
  tape recorded;
  recorded.add(question("a"), answer("A")).add(question("b"), answer("B"));
  std::swap(recorded.content().exchanges[0], recorded.content().exchanges[1]);
  auto x = recorded.play(replay_by::order);
  EXPECT_EQ(text_of(x.answer(question("changed"))), "A");
  EXPECT_EQ(text_of(x.answer(question("a"))), "B");
}

TEST(playback, by_order_sessions_roles_and_models_do_not_mix) {
  auto other_role = question("a");
  other_role.role = "planner";
  auto other_session = question("a");
  other_session.session = "scan";
  auto other_model = question("a");
  other_model.model = "cheap";
  auto x = tape{}
             .add(question("a"), answer("coder"))
             .add(other_role, answer("planner"))
             .add(other_session, answer("scan"))
             .add(other_model, answer("cheap"))
             .play(replay_by::order);
  EXPECT_EQ(text_of(x.answer(other_model)), "cheap");
  EXPECT_EQ(text_of(x.answer(other_session)), "scan");
  EXPECT_EQ(text_of(x.answer(other_role)), "planner");
  EXPECT_EQ(text_of(x.answer(question("a"))), "coder");
}

TEST(playback, by_order_who_is_asked_to_go_on_gets_what_goes_on) {
  auto more = question("b");
  more.follow_ups = {{"half", "go on"}};
  auto x = tape{}
             .add(question("a"), answer("half"))
             .add(more, answer(" an answer"))
             .add(question("c"), answer("another"))
             .play(replay_by::order);
  EXPECT_EQ(text_of(x.answer(question("changed"))), "half");
  EXPECT_EQ(text_of(x.answer(question("changed, too"))), "another");
  more.follow_ups[0].answer = "changed";
  EXPECT_EQ(text_of(x.answer(more)), " an answer");
}

TEST(playback, a_miss_within_a_conversation_says_so) {
  auto recorded = question("a");
  recorded.follow_ups = {{"one\ntwo", "go on"}};
  auto x = tape{}.add(recorded, answer("b")).play();
  EXPECT_EQ(text_of(x.answer(recorded)), "b");
  recorded.follow_ups[0].answer = "one\nthree";
  EXPECT_THAT(miss(x, recorded), HasSubstr("the conversation since its prompt differs first in "
                                           "line 2: asked \"three\", recorded \"two\""));
}

TEST(playback, by_order_the_recording_runs_out) {
  auto x = tape{}.add(question("a"), answer("A")).play(replay_by::order);
  x.answer(question("b"));
  EXPECT_THAT(miss(x, question("c", 2)),
              EndsWith("request 2 of agent 'coder#2' in session 'mlp': of 1 recorded for role "
                       "'coder' and model 'strong' none is left"));
  auto other = question("a");
  other.session = "scan";
  EXPECT_THAT(miss(x, other), HasSubstr("of 0 recorded"));
}

// -- a miss -----------------------------------------------------------------------------

TEST(playback, a_miss_shows_the_first_line_that_differs_from_the_nearest_question) {
  auto x = tape{}
             .add(question("the task\nn = 1\nbe fast\n", 3), answer("A"))
             .add(question("the task\nn = 2\nbe exact\nand brief\n", 4), answer("B"))
             .add(question("something else", 5), answer("C"))
             .play();
  EXPECT_EQ(
    miss(x, question("the task\nn = 3\nbe exact\nand brief\n", 9)),
    "nothing was recorded for this question, request 9 of agent 'coder#2' in session 'mlp'; "
    "nearest is request 4 of agent 'coder#2' in session 'mlp': its prompt differs first in "
    "line 2: asked \"n = 3\", recorded \"n = 2\"");
}

TEST(playback, among_short_prompts_the_one_that_begins_alike_is_nearest) {
  auto x = tape{}
             .add(question("optimise the scan", 3), answer("A"))
             .add(question("optimise the mlp, please", 4), answer("B"))
             .play();
  EXPECT_THAT(miss(x, question("optimise the mlp")), HasSubstr("nearest is request 4"));
}

TEST(playback, a_miss_tells_when_there_is_more_or_less_text) {
  auto x = tape{}.add(question("a\nb"), answer("A")).play();
  EXPECT_THAT(miss(x, question("a\nb\nc")), EndsWith("line 3: asked \"c\", recorded nothing more"));
  EXPECT_THAT(miss(x, question("a")), EndsWith("line 2: asked nothing more, recorded \"b\""));
  EXPECT_THAT(miss(x, question("a\nb\n")), EndsWith("line 3: asked \"\", recorded nothing more"));
  EXPECT_THAT(miss(x, question("")), EndsWith("line 1: asked \"\", recorded \"a\""));
  EXPECT_THAT(miss(x, question("a\n\nb")), EndsWith("line 2: asked \"\", recorded \"b\""));
}

TEST(playback, a_miss_by_the_system_message_or_the_model_says_so) {
  auto x = tape{}.add(question("a"), answer("A")).play();
  auto other = question("a");
  other.system = "You write poems.";
  EXPECT_THAT(miss(x, other),
              EndsWith("its system message differs first in line 1: asked \"You write poems.\", "
                       "recorded \"You write kernels.\""));
  other = question("a");
  other.model = "cheap";
  EXPECT_THAT(miss(x, other), EndsWith("it is the same, but was asked of model 'strong'"));
}

TEST(playback, a_miss_in_a_role_without_recordings_says_so) {
  auto x = tape{}.add(question("a"), answer("A")).play();
  auto other = question("a");
  other.role = "fixer";
  EXPECT_THAT(miss(x, other), EndsWith("nor for any of role 'fixer'"));
  auto nothing = tape{}.play();
  EXPECT_THAT(miss(nothing, question("a")), EndsWith("nor for any of role 'coder'"));
}

TEST(playback, of_long_lines_the_part_that_differs_is_shown) {
  std::string same(500, 'x');
  std::string rest(500, 'z');
  auto x = tape{}.add(question(same + "B" + rest), answer("A")).play();
  auto part = [](const std::string& middle) {
    return "...\"" + std::string(20, 'x') + middle + std::string(59, 'z') + "\"...";
  };
  EXPECT_THAT(miss(x, question(same + "C" + rest)),
              EndsWith("line 1: asked " + part("C") + ", recorded " + part("B")));
}

TEST(playback, a_long_line_is_cut_between_characters) {
  std::string euros;
  for (int i = 0; i < 100; ++i)
    euros += "\xE2\x82\xAC";
  auto x = tape{}.add(question(euros + "a"), answer("A")).play();
  auto told = miss(x, question(euros + "b"));
  EXPECT_THAT(told, HasSubstr("\xE2\x82\xAC"
                              "b\""));
  EXPECT_THAT(told, Not(HasSubstr("\xEF\xBF\xBD")));
  EXPECT_THAT(miss(x, question("b" + euros)), Not(HasSubstr("\xEF\xBF\xBD")));
}

TEST(playback, the_nearest_of_many_long_prompts_is_found) {
  tape recorded;
  auto prompt = [](int number, const std::string& last) {
    std::string text;
    for (int i = 0; i < 1000; ++i)
      text +=
        "line " + std::to_string(i) + (i % 10 == 0 ? " of " + std::to_string(number) : "") + "\n";
    return text + last;
  };
  for (int i = 0; i < 200; ++i)
    recorded.add(question(prompt(i, "end"), static_cast<request_id>(i)), answer("A"));
  auto x = recorded.play();
  auto told = miss(x, question(prompt(137, "other end")));
  EXPECT_THAT(told, HasSubstr("nearest is request 137 of"));
  EXPECT_THAT(told, EndsWith("line 1001: asked \"other end\", recorded \"end\""));
}

// -- the provider -----------------------------------------------------------------------

TEST(replay_provider, with_pace_0_an_answer_comes_at_once_with_its_costs) {
  auto told = answer("A", 3600);
  told.cost.usd = 0.5;
  auto recorded = tape{}.add(question("a"), told);
  replay_provider x{std::make_shared<playback>(recorded.content(), replay_by::question), 0,
                    std::make_shared<io_thread>()};
  auto got = std::get<llm_answer>(ask(x, question("a")).get());
  EXPECT_EQ(got.text, "A");
  EXPECT_EQ(got.cost.usd, 0.5);
  EXPECT_EQ(got.seconds, 3600);
}

TEST(replay_provider, an_answer_takes_its_recorded_time_at_the_given_pace) {
  auto recorded = tape{}.add(question("a"), answer("A", 50));
  replay_provider x{std::make_shared<playback>(recorded.content(), replay_by::question), 0.001,
                    std::make_shared<io_thread>()};
  auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(text_of(ask(x, question("a")).get()), "A");
  EXPECT_GE(std::chrono::steady_clock::now() - start, std::chrono::milliseconds{50});
}

TEST(replay_provider, whoever_makes_them_for_all_models_says_the_pace) {
  auto recorded = tape{}.add(question("a"), answer("A", 50)).add(question("b"), answer("B", 3600));
  auto make = [&](double pace) {
    auto shared = std::make_shared<playback>(recorded.content(), replay_by::question);
    return std::move(*replaying_providers(shared, pace)({}));
  };
  auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(text_of(ask(*make(0.001), question("a")).get()), "A"); // the factory is gone
  EXPECT_GE(std::chrono::steady_clock::now() - start, std::chrono::milliseconds{50});
  EXPECT_EQ(text_of(ask(*make(0), question("b")).get()), "B");
  EXPECT_EQ(text_of(ask(*make(std::nan("")), question("b")).get()), "B");
}

TEST(replay_provider, a_miss_and_a_failure_come_at_once) {
  auto recorded = tape{}.add(question("a"), failure{failure_kind::fail, "no such model"});
  replay_provider x{std::make_shared<playback>(recorded.content(), replay_by::question), 1,
                    std::make_shared<io_thread>()};
  EXPECT_EQ(std::get<failure>(ask(x, question("a")).get()).kind, failure_kind::fail);
  EXPECT_EQ(std::get<failure>(ask(x, question("b")).get()).kind, failure_kind::refuse);
}

TEST(replay_provider, what_a_server_asked_to_wait_passes_at_the_given_pace) {
  using namespace std::chrono_literals;
  auto wait = [](double pace, std::chrono::milliseconds recorded, unsigned status = 429) {
    failure busy{failure_kind::retry, "slow down", recorded};
    busy.status = status;
    auto recording = tape{}.add(question("a"), busy);
    replay_provider x{std::make_shared<playback>(recording.content(), replay_by::question), pace,
                      nullptr};
    return std::get<failure>(ask(x, question("a")).get()).retry_after;
  };
  EXPECT_EQ(wait(1, 20s), 20s);
  EXPECT_EQ(wait(0.5, 20s), 10s);
  EXPECT_EQ(wait(0, 20s), 1ms) << "0 would be a server that does not say how long";
  EXPECT_EQ(wait(0, 20s, 503), 1ms);
  EXPECT_EQ(wait(0, 0s), 1ms) << "so did it when it was recorded";
  EXPECT_EQ(wait(0.5, 0s), 5s);
  EXPECT_EQ(wait(1, 0s, 503), 0s) << "nobody asked to wait";
  EXPECT_EQ(wait(1, std::chrono::milliseconds::max()), 24h);
  EXPECT_EQ(wait(0, std::chrono::milliseconds::max()), 1ms);
  EXPECT_EQ(wait(1, std::chrono::milliseconds::min(), 503), 0s);
}

TEST(replay_provider, providers_of_two_models_share_a_recording) {
  auto other = question("a");
  other.model = "cheap";
  auto recorded = tape{}.add(question("a"), answer("A")).add(other, answer("B"));
  auto shared = std::make_shared<playback>(recorded.content(), replay_by::question);
  replay_provider strong{shared, 0, nullptr};
  replay_provider cheap{shared, 0, nullptr};
  EXPECT_EQ(text_of(ask(cheap, other).get()), "B");
  EXPECT_EQ(text_of(ask(strong, question("a")).get()), "A");
}

TEST(replay_provider, a_question_that_waits_at_the_end_is_not_left_open) {
  auto io = std::make_shared<io_thread>();
  auto recorded = tape{}.add(question("a"), answer("A", 1e300));
  auto x = std::make_unique<replay_provider>(
    std::make_shared<playback>(recorded.content(), replay_by::question), 1, io);
  auto waiting = ask(*x, question("a"));
  x.reset();
  io.reset();
  EXPECT_EQ(std::get<failure>(waiting.get()).kind, failure_kind::retry);
}
