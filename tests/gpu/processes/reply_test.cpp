#include "gpu/processes/reply.hpp"

#include <gmock/gmock.h>

namespace lathe::gpu::testing {

using ::testing::ElementsAre;
using ::testing::Optional;

namespace {

gpu::reply parse(std::string_view text) {
  return gpu::reply::parse(text, 7, {});
}

} // namespace

TEST(reply, an_answer_gives_what_it_holds_and_nothing_of_another_type) {
  auto x =
    parse(R"({"id": 7, "ok": true, "ns": [1, 2], "bytes": 5, "text": "a", "changed": false})");
  ASSERT_TRUE(x.ok());
  EXPECT_THAT(x.integers("ns"), Optional(ElementsAre(1, 2)));
  EXPECT_EQ(x.integer("bytes"), 5);
  EXPECT_EQ(x.text("text"), "a");
  EXPECT_EQ(x.flag("changed"), false);
  EXPECT_EQ(x.integer("text"), std::nullopt);
  EXPECT_EQ(x.integer("absent"), std::nullopt);
  EXPECT_EQ(x.texts("ns"), std::nullopt);
}

TEST(reply, kinds_of_failure_become_outcomes) {
  auto how = [](const std::string& kind) {
    return parse(R"({"id": 7, "ok": false, "kind": ")" + kind + R"(", "message": "m"})")
      .problem()
      .how;
  };
  EXPECT_EQ(how("build_failed"), outcome::build_failed);
  EXPECT_EQ(how("out_of_memory"), outcome::out_of_memory);
  EXPECT_EQ(how("too_large"), outcome::incorrect);
  EXPECT_EQ(how("correct"), outcome::crashed) << "a kind that it made up";
}

TEST(reply, a_failure_has_a_sentence_whatever_was_sent) {
  for (std::string_view rest : {R"()", R"(, "message": "")", R"(, "message": 3, "summary": "")",
                                R"(, "message": "", "summary": null)"}) {
    auto x = parse(R"({"id": 7, "ok": false)" + std::string{rest} + "}");
    EXPECT_EQ(x.problem().message, "it failed without a word") << rest;
    EXPECT_EQ(x.problem().summary, "it failed without a word") << rest;
  }
  auto x = parse(R"({"id": 7, "ok": false, "message": "line 1\nline 2", "summary": ""})");
  EXPECT_EQ(x.problem().summary, x.problem().message);
}

TEST(reply, nothing_that_foreign_code_sends_passes_for_success) {
  for (std::string_view text :
       {"", "[]", "{", "null", "\xff\xfe", R"({"ok": true})", R"({"id": 6, "ok": true})",
        R"({"id": 7})", R"({"id": 7, "ok": 1})", R"({"id": "7", "ok": true})"})
    EXPECT_FALSE(parse(text).ok()) << text;
}

TEST(reply, survives_deep_nesting) {
  EXPECT_FALSE(parse(std::string(100'000, '[')).ok());
}

TEST(reply, outlives_a_move) {
  auto x = parse(R"({"id": 7, "ok": true, "text": "still here"})");
  auto y = std::move(x);
  EXPECT_EQ(y.text("text"), "still here");
}

TEST(reply, a_farewell_says_how_the_worker_ended) {
  auto how = [](std::string_view text) { return parse_farewell(text).value_or(farewell{}).how; };
  EXPECT_EQ(how(R"({"ended": {"signal": "SIGSEGV"}})"), "SIGSEGV");
  EXPECT_EQ(how(R"({"ended": {"exit": 3}})"), "exit 3");
  EXPECT_FALSE(parse_farewell(R"({"id": 7, "ok": true})"));
  EXPECT_FALSE(parse_farewell("[1"));
}

TEST(reply, a_farewell_tells_a_killed_init_from_a_killed_worker) {
  EXPECT_TRUE(parse_farewell(R"({"ended": {"signal": "SIGKILL", "init": true}})")->of_init);
  EXPECT_FALSE(parse_farewell(R"({"ended": {"signal": "SIGKILL"}})")->of_init);
  EXPECT_FALSE(parse_farewell(R"({"ended": {"exit": 3, "init": 1}})")->of_init);
}

} // namespace lathe::gpu::testing
