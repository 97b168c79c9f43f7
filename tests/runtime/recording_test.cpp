#include "runtime/recording.hpp"

#include "runtime/replayed_clock.hpp"
#include "tests/runtime/journal/temporary_folder.hpp"
#include "tests/runtime/recorded_run.hpp"

#include <gmock/gmock.h>

using namespace lathe;
using namespace lathe::test;
using runtime::recording;
using testing::ElementsAre;
using testing::HasSubstr;

namespace {

recording read(std::vector<std::vector<journal_record>> appends) {
  auto result = recording::read(journal_of(std::move(appends)));
  EXPECT_TRUE(result) << sentence(result);
  return result ? std::move(*result) : recording{};
}

const auto q = question("a", 2);
const auto cheap_q = question("a", 2, "go", "cheap");

} // namespace

TEST(recording, knows_what_became_of_each_request) {
  auto past = read({{started("a"), issued("a", 1, "evaluator")},
                    {leased("a")},
                    {prepared("a"), issued("a", 2, "coder")},
                    {reserved(q)},
                    {exchanged(q, "an answer").records[0]},
                    {failed("a", 2, errc::timed_out, "too late"), ended("a")}});
  EXPECT_EQ(past.preparation_of("a"), (runtime::request_key{"a", 1}));
  EXPECT_EQ(past.outcome_of({"a", 1}), 3u);
  EXPECT_EQ(past.begin_of({"a", 2}), 5u);
  EXPECT_EQ(past.next_of({"a", 2}, 6), 6u);
  EXPECT_EQ(past.next_of({"a", 2}, 7), std::nullopt);
  EXPECT_EQ(past.outcome_of({"a", 2}), 7u);
  EXPECT_EQ(past.outcome_of({"a", 3}), std::nullopt);
  EXPECT_EQ(past.target_of({"a", 2}), "coder");
  EXPECT_TRUE(past.is_whole());
}

TEST(recording, a_run_that_goes_on_is_not_whole) {
  auto past = read({{started("a"), issued("a", 1, "evaluator")}});
  EXPECT_FALSE(past.is_whole());
  EXPECT_EQ(past.left_out(), "");
}

TEST(recording, leaves_out_what_cannot_be_played) {
  auto begin = std::vector{started("a"), issued("a", 1, "evaluator")};
  auto changed = actors::to_record("a", actors::topology_changed{});
  EXPECT_THAT(read({begin, {changed}}).left_out(), HasSubstr("event 3, where 'lathe apply'"));
  auto suspended = actors::to_record("a", actors::session_suspended{1});
  EXPECT_THAT(read({begin, {suspended}}).left_out(), HasSubstr("suspended"));
  auto resumed = read({begin, {prepared("a")}, {issued("a", 2, "coder")}});
  EXPECT_THAT(resumed.left_out(), HasSubstr("event 4, where it was taken up again after a stop"));
  EXPECT_EQ(resumed.events().size(), 3u);
  auto crashed =
    read({begin, {prepared("a"), issued("a", 2, "coder")}, {reserved(q)}, {reserved(q)}});
  EXPECT_THAT(crashed.left_out(), HasSubstr("event 6, where it was taken up again after a crash"));
}

TEST(recording, a_model_asked_in_place_of_another_is_no_crash) {
  auto past = read({{started("a"), issued("a", 1, "evaluator")},
                    {prepared("a"), issued("a", 2, "coder")},
                    {reserved(q)},
                    {reserved(cheap_q)}});
  EXPECT_EQ(past.left_out(), "");
}

TEST(recording, a_question_that_goes_back_to_a_model_is_asked_anew) {
  auto more = q;
  more.follow_ups = {{"half", "go on"}};
  auto past = read({{started("a"), issued("a", 1, "evaluator")},
                    {prepared("a"), issued("a", 2, "coder")},
                    {reserved(cheap_q)}, // 5
                    {lost(cheap_q)},
                    {reserved(q)}, // 7
                    {lost(q)},
                    {reserved(q)},
                    {reserved(cheap_q)}, // 10
                    {exchanged(cheap_q, "half").records[0]},
                    {reserved(more)},
                    {released(more)},
                    {reserved(more)}}); // 14
  EXPECT_EQ(past.left_out(), "");
  std::vector<std::size_t> anew;
  for (std::size_t i = 0; i < past.events().size(); ++i)
    if (past.begins_anew(i))
      anew.push_back(i + 1);
  EXPECT_THAT(anew, ElementsAre(7, 14));
}

TEST(recording, a_crash_amid_another_model_is_left_out_where_no_loss_was_written) {
  auto past = read({{started("a"), issued("a", 1, "evaluator")},
                    {prepared("a"), issued("a", 2, "coder")},
                    {reserved(q)},
                    {reserved(cheap_q)},
                    {reserved(q)}});
  EXPECT_THAT(past.left_out(), HasSubstr("event 7, where it was taken up again after a crash"));
}

TEST(recording, of_no_session_is_none) {
  auto past = recording::read(journal_of({{leased("a")}}));
  EXPECT_TRUE(failed_with(past, errc::user_error)) << sentence(past);
}

TEST(recording, of_a_session_that_has_not_begun_is_none) {
  auto request = at(100, issued("a", 1, "evaluator"));
  for (const auto& first : {at(100, leased("a")), at(100, started("b"))}) {
    auto past = recording::read(journal_of({{first, request, at(100, started("a"))}}));
    EXPECT_TRUE(failed_with(past, errc::user_error)) << sentence(past);
    EXPECT_EQ(sentence(past), "event 2 (request_issued) is of a session that has not begun");
  }
}

TEST(recording, of_a_session_that_is_a_path_is_none) {
  auto past = recording::read(journal_of({{started("../../evil")}}));
  EXPECT_TRUE(failed_with(past, errc::user_error)) << sentence(past);
  EXPECT_THAT(sentence(past), HasSubstr("event 1 (session_started) names its session "
                                        "\"../../evil\", which cannot be the name of a file"));
}

TEST(recording, of_a_session_with_the_name_of_another_task_is_none) {
  auto record = started("a");
  record.session = "b";
  auto past = recording::read(journal_of({{record}}));
  EXPECT_TRUE(failed_with(past, errc::user_error)) << sentence(past);
  EXPECT_THAT(sentence(past), HasSubstr("begins the session \"b\" with the task \"a\""));
}

TEST(recording, counts_how_many_requests_were_under_way_at_once) {
  auto past = read({{started("a"), issued("a", 1, "evaluator")},
                    {prepared("a"), issued("a", 2, "coder"), issued("a", 3, "coder")},
                    {started("b"), issued("b", 1, "evaluator")},
                    {failed("a", 2, errc::timed_out, ""), issued("a", 4, "coder")},
                    {prepared("b"), issued("b", 2, "coder")}});
  EXPECT_EQ(past.most_at_once().at("coder"), 3);
}

TEST(recording, the_clock_says_what_it_said) {
  auto past = read({{at(100, started("a")), at(100, issued("a", 1, "evaluator", 0.25))},
                    {at(101, prepared("a")), at(101, issued("a", 2, "coder", 1.5)),
                     at(101, issued("a", 3, "coder", 1.75))},
                    {at(104, failed("a", 2, errc::timed_out, ""))},
                    {at(105, failed("a", 3, errc::timed_out, "")), at(105, ended("a"))}});
  EXPECT_THAT(past.clock_of("a"),
              ElementsAre(ElementsAre(0, 0.25, 0.25), // begun, issued, no more
                          ElementsAre(1.5, 1.75, 1.75), ElementsAre(4.75), ElementsAre(5.75)));
  runtime::replayed_clock clock{past.clock_of("a")};
  EXPECT_EQ(clock(), 0);
  EXPECT_EQ(clock(), 0.25);
  EXPECT_EQ(clock(), 0.25);
  clock.next_turn();
  EXPECT_EQ(clock(), 1.5);
  for (int i = 0; i < 5; ++i)
    clock.next_turn();
  EXPECT_EQ(clock(), 5.75) << "there is no more";
}

TEST(recording, the_clock_of_a_session_that_is_not_there_stands_still) {
  auto past = read({{started("a"), issued("a", 1, "evaluator", 0.25)}});
  runtime::replayed_clock clock{past.clock_of("b")};
  EXPECT_EQ(clock(), 0);
  clock.next_turn();
  EXPECT_EQ(clock(), 0);
  runtime::replayed_clock silent{std::vector<std::vector<double>>(1)};
  EXPECT_EQ(silent(), 0);
}

TEST(recording, a_guess_of_the_time_is_not_behind_the_next_request) {
  auto past = read({{at(100, started("a")), at(100, issued("a", 1, "evaluator", 0))},
                    {at(130, failed("a", 7, errc::timed_out, ""))}, // it stood still meanwhile
                    {at(131, prepared("a")), at(131, issued("a", 2, "coder", 2))}});
  EXPECT_THAT(past.clock_of("a")[1], ElementsAre(2));
}

TEST(recording, what_an_older_lathe_recorded_counts_as_this_one_writes_it) {
  auto now = started("a");
  auto older = now;
  auto added = older.payload.find(R"("forbid":null)");
  ASSERT_NE(added, std::string::npos);
  older.payload.erase(added - 1, 14); // with its comma
  auto past = read({{older, issued("a", 1, "evaluator")}});
  ASSERT_NE(older.payload, now.payload);
  EXPECT_TRUE(runtime::says_the_same(past.events()[0], now));
  EXPECT_FALSE(runtime::says_the_same(past.events()[0], started("b")));
}
